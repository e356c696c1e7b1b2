# Read by the shell of a command before the command itself (BASH_ENV); end-folder.ts says what for.
# An empty line stands for a folder that is no longer there. The trace of `set -x` goes where the errors go. A child that is ended by a signal
# before it has become itself would answer as well, and is not asked.
printf -v TENDON_END_FOLDER %q "$TENDON_END_FOLDER"
trap -- '{ [ "${BASHPID-$$}" = "$$" ]; } 2>/dev/null && { builtin pwd -P || builtin echo; } 2>/dev/null >|'"$TENDON_END_FOLDER" EXIT
unset BASH_ENV TENDON_END_FOLDER
