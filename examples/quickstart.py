"""One training step: a PyTorch program but for the first import.

python examples/quickstart.py
"""

import tinygrad_loss as torch
from tinygrad_loss import nn, optim

torch.manual_seed(2148)

model = nn.Linear(10, 3)
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=1e-3)

inputs = torch.randn(32, 10)
labels = torch.randint(0, 3, (32,))

optimizer.zero_grad()
outputs = model(inputs)
loss = criterion(outputs, labels)
loss.backward()
optimizer.step()

print(f"loss before the step: {loss.item():.4f}")
with torch.no_grad():
    print(f"loss after the step:  {criterion(model(inputs), labels).item():.4f}")
