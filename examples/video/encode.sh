# The encoder: $SOURCE, a file of $FOLDER, becomes $TARGET beside it, as WebM (VP9).
# Exits with 65 (EX_DATAERR) or 66 (EX_NOINPUT) where trying again would not help.
set -eu
cd "$FOLDER"
[ -r "$SOURCE" ] || { echo "there is no $SOURCE" >&2; exit 66; }
ffprobe -v error "file:$SOURCE" || { echo "$SOURCE is no video" >&2; exit 65; }

# Whole or not at all: each attempt writes a file of its own, which takes its name when it is complete.
# So an attempt may be killed at any moment, and the next one begins anew.
rm -f ".$TARGET".attempt-*
part=".$TARGET.attempt-$LONGHAUL_ATTEMPT"
ffmpeg -nostdin -hide_banner -loglevel warning -stats_period 1 -progress pipe:1 \
  -i "file:$SOURCE" -c:v libvpx-vp9 -b:v 1M -deadline good -cpu-used 2 -an -f webm "file:$part"
mv "$part" "$TARGET"
echo "$TARGET is complete"
