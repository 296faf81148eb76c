"""What the commands share: quiet start-up, one-line errors, exit statuses."""

import os
import sys
import tempfile

from absl import app, flags, logging


def quiet_tensorflow():
    """Import TensorFlow without its start-up messages; what fails is still shown.

    They are written to the file descriptor before any log level applies, so the descriptor is
    turned away until the devices have been found.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_logical_devices()
        except BaseException:
            hidden.seek(0)
            os.write(shown, hidden.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
    logging.set_verbosity(logging.ERROR)


def command(main):
    """Wrap `main(argv) -> exit status` as a console script.

    Errors that a user can mend (ValueError, FileNotFoundError, OSError) end it with their one
    line on stderr and status 1; a bad flag with status 2; Ctrl-C with 130.
    """

    def guarded(argv):
        try:
            return main(argv)
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130

    def cli():
        sys.exit(app.run(guarded, flags_parser=_parse_flags))

    return cli


def _parse_flags(argv):
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
