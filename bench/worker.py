"""A worker process that does nothing but send: `python -m bench.worker`, until SIGTERM.

Celery's task is the same call (`messaging.tasks.deliver`), rung by the bell; here nothing rings, so that several can
share the work. `python -m bench.worker feed` keeps the lanes of campaigns fed as well.
"""

import os
import signal
import sys
import threading

import django


def main(arguments: list[str]) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "crm_whatsapp.settings"
    django.setup()
    from campaigns.feeder import feed_campaigns
    from messaging.delivery import Delivery

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def feed() -> None:
        while not stop.wait(0.2):
            feed_campaigns()

    feeder = threading.Thread(target=feed)
    if "feed" in arguments:
        feeder.start()
    while not stop.wait(0.05):
        Delivery().run(seconds=20, stop=stop)
    if "feed" in arguments:
        feeder.join()


if __name__ == "__main__":
    main(sys.argv[1:])
