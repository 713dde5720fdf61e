"""A valid token, and what is known about it.

    APIVIDEO_API_KEY=… python first_token.py
"""

import sys

import libapivideo


def main() -> int:
    try:
        # The key, and the server if it is not api.video's, are the environment's.
        with libapivideo.Client() as client:
            token = client.get_token()
            print(f"The token is good for {token.expires_in.total_seconds():.0f} s, until {token.expires_at:%H:%M:%S} UTC.")

            # From now on this is all that a request needs. It costs less than a microsecond and
            # never blocks while the token is valid; the library renews it in the background.
            header = client.authorization()
            print(f"Authorization: {header[:10]}… ({len(header)} characters)")
    except libapivideo.ApiVideoError as error:
        print(f"No token: {error}", file=sys.stderr)
        if error.retry_after is not None:
            print(f"It makes sense to try again in {error.retry_after:.1f} s.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
