"""What Keras gives for tests/tables/keras_rows.py: written by tests/golden/make_keras.py, not by hand."""

from __future__ import annotations

from typing import Any

VERSION = '3.15.1'
BACKEND = 'torch'
CLASSES = ['BinaryCrossentropy', 'BinaryFocalCrossentropy', 'CTC', 'CategoricalCrossentropy', 'CategoricalFocalCrossentropy', 'CategoricalGeneralizedCrossEntropy', 'CategoricalHinge', 'Circle', 'CosineSimilarity', 'Dice', 'Hinge', 'Huber', 'KLDivergence', 'LogCosh', 'MeanAbsoluteError', 'MeanAbsolutePercentageError', 'MeanSquaredError', 'MeanSquaredLogarithmicError', 'Poisson', 'SparseCategoricalCrossentropy', 'SquaredHinge', 'Tversky']
VALUES: dict[str, Any] = {
    'MeanSquaredError': [1.7408855],
    'MeanAbsoluteError': [0.92708337],
    'MeanAbsolutePercentageError': [66.597229],
    'MeanSquaredLogarithmicError': [0.096812382],
    'Huber(delta=0.5)': [0.36002603],
    'LogCosh': [0.53199053],
    'CosineSimilarity': [-0.86019993],
    'CosineSimilarity(axis=-1)': [-0.86019993],
    'Poisson': [0.77838969],
    'BinaryCrossentropy': [0.79563439],
    'BinaryCrossentropy(from_logits=True)': [0.64171708],
    'BinaryCrossentropy(from_logits=True, label_smoothing=0.1)': [0.67088377],
    'BinaryFocalCrossentropy(from_logits=True)': [0.32272339],
    'BinaryFocalCrossentropy(apply_class_balancing=True, gamma=1.5, from_logits=True)': [0.23701051],
    'CategoricalCrossentropy(from_logits=True)': [1.8036077],
    'CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)': [2.2527742],
    'CategoricalCrossentropy': [1.2668015],
    'SparseCategoricalCrossentropy(from_logits=True)': [1.8036077],
    'SparseCategoricalCrossentropy': [1.2668015],
    'SparseCategoricalCrossentropy(ignore_class=2, from_logits=True)': [1.5445859],
    'CategoricalFocalCrossentropy(from_logits=True)': [0.35739648],
    'CategoricalGeneralizedCrossEntropy(q=0.7)': [0.70294333],
    'Hinge': [0.70833331],
    'SquaredHinge': [1.8229166],
    'CategoricalHinge': [2.3125],
    'KLDivergence': [0.76104158],
    'CTC': [1.3487778],
    'Dice': [0.5],
    'Dice(axis=(0,))': [0.53466874],
    'Tversky(alpha=0.3, beta=0.7)': [0.45652181],
    'Circle(gamma=8.0, margin=0.25)': [20.253944],
    "MeanSquaredError(reduction='sum')": [6.963542],
    'MeanSquaredError(reduction=None)': [0.25, 0.85416669, 2.0885417, 3.7708333],
    "MeanSquaredError(reduction='mean')": [1.7408855],
    "CategoricalCrossentropy(from_logits=True, reduction='sum')": [7.2144308],
    'MeanSquaredError @ sample_weight=w': [1.2135417],
    "MeanSquaredError(reduction='mean_with_sample_weight') @ sample_weight=w": [1.3869048],
    "SparseCategoricalCrossentropy(from_logits=True, reduction='mean_with_sample_weight') @ sample_weight=w": [2.1895473],
}
