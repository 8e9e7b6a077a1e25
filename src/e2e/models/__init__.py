"""Networks, one file a family. Each takes raw detector frames [N, C, H, W] and returns logits [N]."""
