#!/bin/sh
# First process of the guest. The host's root is mounted read-only; $LAB is a directory of the host, made for this run.
# Obeys lines from the serial console: `N` runs the script $LAB/N, `in` goes on in a new network namespace, `out` comes
# back from it. Each line is answered by what the script printed and `=== LINE CODE` on a line of its own.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

if [ $$ = 1 ]; then
  line=boot
  mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs run /run
  code=$?
  exec </dev/ttyS0 >/dev/ttyS0 2>&1
  stty raw -echo
else
  line=in
  code=0
fi

while
  printf '\n=== %s %d\n' "$line" "$code"
  read -r line
do
  case $line in
    in)
      unshare --net "$0"
      code=$?
      line=out
      ;;
    out) exit 0 ;;
    *)
      (. "$LAB/$line")
      code=$?
      ;;
  esac
done
echo o >/proc/sysrq-trigger
