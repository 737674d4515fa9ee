#!/bin/sh
# A consortium to practise with, in this folder: one coordinator, two hospitals with radiographs of nobody, one study to its signed release.
# aggregator/docs/coordinator.md does the same step by step. Nobody telephones here, so it shows no enrolment that anybody may imitate.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
port=${1:-7443}

aggregator --home consortium init --consortium practice --address "localhost:$port"
aggregator --home consortium serve --listen "127.0.0.1:$port" > consortium.log 2>&1 &
serving=$!
trap 'kill $serving 2> /dev/null; wait' EXIT
# Until what the first argument is found in the log of the second, half a minute at most.
await() {
    for _ in $(seq 150); do
        grep -q "$1" "$2" && return
        sleep 0.2
    done
    echo "no \"$1\" in $2, which ends:" >&2
    tail -n 3 "$2" >&2
    exit 1
}
await 'listening on' consortium.log
seed=1
for site in north south; do
    hospital-node --home $site init --site $site > $site.log
    sed "s/^site = .*/site = \"$site\"/" "$here/policy.toml" > $site.toml
    hospital-node policy key --out $site-ethics.pem >> $site.log
    hospital-node policy sign --key $site-ethics.pem $site.toml >> $site.log
    hospital-node --home $site policy install $site.toml --ethics-key $site-ethics.pub
    hospital-node phantoms --out $site-files --images 240 --seed $seed >> $site.log
    hospital-node --home $site ingest $site-files >> $site.log 2>&1
    invitation=$(aggregator --home consortium invite --site $site)
    hospital-node --home $site enroll "$invitation" >> $site.log 2>&1 &
    await 'to the coordinator: ' $site.log
    fingerprint=$(sed -n 's/.*to the coordinator: //p' $site.log)
    aggregator --home consortium approve $site --fingerprint "$fingerprint" --reason practice
    await 'enrolled at' $site.log
    seed=$((seed + 1))
done
aggregator --home consortium study create "$here/study.toml"
aggregator --home consortium study start practice
hospital-node --home north run --until-done practice >> north.log 2>&1 &
hospital-node --home south run --until-done practice >> south.log 2>&1
await 'finished (reviewing)' north.log
aggregator --home consortium release create practice --out release --approved-by Nobody
