"""What every part of the package may use: texts, files and errors; imports nothing of ours from above."""
