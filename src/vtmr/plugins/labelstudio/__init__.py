"""A machine-learning backend for Label Studio: smart keypoints, rectangles and brushes become
masks (docs/doors/label-studio.md)."""
