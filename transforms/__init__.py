"""What cotmill's pipelines are made of: a file or folder per stage, pure core first."""
