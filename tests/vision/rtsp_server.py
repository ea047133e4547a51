#!/usr/bin/python3
"""Plays the drawn people over RTSP: rtsp_server.py PORT serves rtsp://127.0.0.1:PORT/people.

Needs Debian's python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-base and -good.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

# Each picture for a second, 10 frames a second.
PIPELINE = (
    "( multifilesrc location=demo/pictures/person-%02d.jpg start-index=1 stop-index=50 loop=true"
    " caps=image/jpeg,framerate=1/1 ! jpegdec ! videorate ! videoconvert"
    " ! video/x-raw,format=I420,framerate=10/1 ! jpegenc ! rtpjpegpay name=pay0 )"
)


def main():
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE)
    factory.set_shared(True)
    server.get_mount_points().add_factory("/people", factory)
    server.attach(None)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
