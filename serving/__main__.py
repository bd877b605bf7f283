"""`python -m serving`: the service in this process, under the settings of its environment."""

from pipeline.settings import Settings
from serving.launch import serve

if __name__ == "__main__":
    serve(Settings())
