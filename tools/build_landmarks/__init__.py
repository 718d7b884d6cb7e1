"""Where MediaPipe's face landmarks lie on the template: derived by a detector from renders."""
