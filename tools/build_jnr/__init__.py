"""The JNR rig on the shipped template: joints, initial weights, docs/jnr.md."""
