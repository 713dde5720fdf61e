"""A file becomes a video, with a bar; and what a program reads, while it reads it.

    APIVIDEO_API_KEY=… python upload.py movie.mp4
    ffmpeg … -f matroska - | APIVIDEO_API_KEY=… python upload.py -

Without a file it sends itself, which only the local sandbox takes for a video.
"""

import sys

import libapivideo

path = sys.argv[1] if len(sys.argv) > 1 else __file__

with libapivideo.Client() as client:
    video_id = client.request("POST", "/videos", json={"title": "My movie"}).json()["videoId"]
    try:
        source = sys.stdin.buffer if path == "-" else path
        video = client.upload(source, video_id=video_id, progress=True).json()
    except (libapivideo.ApiVideoError, KeyboardInterrupt) as why:
        # What has arrived stays: the same call with resume=True sends the rest.
        sys.exit(f"{why or 'Interrupted.'} To go on: video_id={video_id!r}, resume=True")
    print(f"The video {video_id} is there: {video['assets']['player']}")
