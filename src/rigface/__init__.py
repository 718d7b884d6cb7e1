"""rigface: scans, depth, photos and video of a face become a rigged, animatable 3-D head."""
