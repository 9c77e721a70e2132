#!/usr/bin/env bash
# Records what `streamtrans live` shows in the middle of a sentence, before Enter: live-80.txt and live-40.txt.
# Needs tmux, and streamtrans on the PATH. Run again when the model or the view has changed.
set -eu
cd "$(dirname "$0")"

pane() { tmux -L streamtrans-captures "$@"; }

type_slowly() {
    local text=$1 i
    for ((i = 0; i < ${#text}; i++)); do
        pane send-keys -t live -l "${text:i:1}"
        sleep 0.03
    done
}

for columns in 80 40; do
    pane -f /dev/null new-session -d -s live -x "$columns" -y 16 "PS1='$ ' exec bash --norc --noprofile"
    until pane capture-pane -p -t live | grep -q '^\$'; do sleep 0.1; done
    pane send-keys -t live -l "streamtrans live"
    pane send-keys -t live Enter
    until pane capture-pane -p -t live | grep -q Ctrl-D; do sleep 0.1; done
    type_slowly "Thank you very much for your help. "
    sleep 1
    type_slowly "I would like to book a table for two people tom"
    sleep 1
    pane capture-pane -p -t live | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' > "live-$columns.txt"
    pane kill-session -t live
done
