"""Entry point of local worker processes: Beam's own, without its announcements on stderr."""

import logging
import sys

if __name__ == "__main__":
    logging.disable(logging.WARNING)  # said at import, of a package that only Google Cloud needs
    from apache_beam.runners.worker import sdk_worker_main

    logging.disable(logging.INFO)
    # An exception reaches the driver with the bundle's result; logged, it would come twice.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    sdk_worker_main.main(sys.argv)
