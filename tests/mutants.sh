#!/bin/sh
# A test of the tests: each planted bug must be found by the simulations. `make mutants`.
#
# A mutant is a name, a file, and a sed command that plants it. Works on a copy in target/mutants. `sh tests/mutants.sh src/upload` plants
# those in files with that in their names.
set -u
cd "$(dirname "$0")/.." || exit 1
only=${1:-}
copy=$PWD/target/mutants
found=0
survived=0

fresh_copy() {
    mkdir -p "$copy" &&
        cp -R Cargo.toml Cargo.lock build.rs cbindgen.toml cli "$copy" &&
        mkdir -p "$copy/tests" && cp -R tests/sandbox "$copy/tests" &&
        rm -rf "$copy/src" && cp -R src "$copy/src"
}

# A bug may make a simulation go on for ever: that is found too, after LIMIT seconds. Building may take its time.
simulate() {
    (
        cd "$copy" && export CARGO_TARGET_DIR=target && cargo test --quiet --lib --no-run &&
            timeout "${LIMIT:-60}" cargo test --quiet --lib -- cache:: token:: upload::
    ) >"$copy/log" 2>&1
}

mutant() {
    name=$1 file=$2 bug=$3
    case $file in *"$only"*) ;; *) return ;; esac
    fresh_copy || exit 1
    sed -i.before "$bug" "$copy/$file"
    if cmp -s "$copy/$file" "$copy/$file.before"; then
        echo "error: the mutant «$name» changes nothing: mend its command" >&2
        survived=$((survived + 1))
    elif simulate; then
        echo "SURVIVED  $name"
        survived=$((survived + 1))
    elif grep -q '^error' "$copy/log" && ! grep -q 'test result: FAILED' "$copy/log"; then
        echo "error: the mutant «$name» does not compile" >&2
        survived=$((survived + 1))
    else
        by=$(sed -n 's/^---- \(.*\) stdout ----$/\1/p' "$copy/log" | head -n 1)
        echo "found     $name, by ${by:-a simulation that does not end}"
        found=$((found + 1))
    fi
}

fresh_copy && simulate || { echo "error: the tests fail without a mutant; see $copy/log" >&2; exit 1; }

state=src/cache/state.rs
backoff=src/cache/backoff.rs
policy=src/cache/policy.rs
mutant 'two flights at once' $state 's/if self.known.flight.is_none() \&\& !self.known/if !self.known/'
mutant 'the answers of a flight are forgotten' $state '/fn finish_flight(/,/^    }/s/self.effects.answers.extend(answers);/drop(answers);/'
mutant 'a refresh token is sent again' $state '/fn spend_refresh_token(/,/^    }/s/\*refresh_unspent = false;//'
mutant 'a refresh token whose reply was lost is kept' $state 's/if !spent {/if true {/'
mutant 'a failure displaces a valid token' $state '/fn report_failure(/,/^    }/s/let retry_in_ms/self.effects.publish = Some(None); let retry_in_ms/'
mutant 'a success leaves the backoff' $state '/fn adopt(/,/^    }/s/self.backoff = Backoff::Idle;//'
mutant 'no backoff' $backoff '/fn retry_at(/,/^    }/s/failing.calm_retry_at/i64::MIN/'
mutant 'no urgency without a token' $backoff '/fn retry_at(/,/^    }/s/failing.urgent_retry_at/failing.calm_retry_at/'
mutant 'a late 401 displaces a newer token' $state 's/ if Arc::ptr_eq(set, rejected) => {}/ => { let _ = set; }/'
mutant 'an always-401 API gets token after token' $state '/fn trial_left(/,/^    }/s/(now.mono_ms < over)/false/'
mutant 'contention is never noticed' $policy 's/CONTENTION_REJECTIONS: u32 = 2/CONTENTION_REJECTIONS: u32 = 1_000_000/'
mutant 'a reply after closing is published' $state '/fn on_response(/,/^    }/s/if self.known.held.is_closed() {/if false {/'
mutant 'a child has its parents refresh token' $state '/fn new(inherited/,/^    }/s/refresh_unspent: false/refresh_unspent: true/'
mutant 'a caller that waits for recovery is sent away' $state '/fn waits_on(/,/^    }/s/may_pass()/may_pass() \&\& false/'
mutant 'nobody hears that the time is up' $state '/pub(crate) fn wake(/,/^    }/s/take_late(now.mono_ms)/take_late(i64::MIN)/'
mutant 'Retry-After is ignored' $backoff '/fn exchange_failed(/,/^    }/s/.max(asked)/.max(asked.min(0))/'
mutant 'the wall clock is ignored' src/clock.rs 's/self.wall_ms >= moment.wall_ms ||/false ||/'
mutant 'no margin before the end' $policy 's/lifetime_ms - expiry_margin(lifetime_ms)/lifetime_ms/'
mutant 'expiry counts from the reply' $state '/fn on_response(/,/^    }/s/validity(lifetime_ms, sent, at)/validity(lifetime_ms, at.now, at)/'
mutant 'renewal a margin too late' $policy 's/0.70 + 0.10 \* random/0.995/'
mutant 'a clock that was set is an error' $state 's/if flight.repeats < policy::MOST_REPEATS/if false/'
sharing=src/cache/sharing.rs
mutant 'a token is offered whatever its fence' $sharing 's/if ours <= theirs || ours <= seen.record.withdrawn {/if false {/'
mutant 'a fence that begins anew' $sharing '/fn next_fence(/,/^    }/s/seen.record.fence.saturating_add(1).max(clock)/clock.min(1)/'
mutant 'a lease that never ends' src/cache/record.rs 's/possible(now.until(lease.until), policy::LEASE)/policy::LEASE/'
mutant 'an expired lease is waited for by nobody' $sharing 's/if leased_for > 0 \&\& patience > 0/if false/'
mutant 'a store that fails is asked again and again' $sharing 's/if now.mono_ms < self.closed_until {/if false {/'
mutant 'without its store a process gives its token up' $sharing 's/(patience > 0).then_some(patience)/None/'
mutant 'a record from the past is believed' $sharing 's/if record.fence >= self.newest => /if true => /'
mutant 'a rejection is not told' $sharing '/fn withdraw_in_seen(/,/^    }/s/seen.record.withdrawn.max(self.rejected)/seen.record.withdrawn/'
mutant 'a lease is not given back' $sharing 's/record.lease = record.lease.filter(|_| others);//'
mutant 'a lost answer counts as a lease that was not got' $sharing 's/Phase::Unsure if self.has_lease() => self.leased()/Phase::Unsure if false => self.leased()/'
mutant 'whoever is outrun tries on and on' $sharing 's/self.flight.conflicts >= MOST_CONFLICTS/false/'
mutant 'others are waited for beyond ones time' $sharing '/fn patience_with_others(/,/^    }/s/wait_for_others(deadline,/wait_for_others(None,/'
mutant 'a slow store never fails' $sharing '/fn is_too_slow(/,/^    }/s/self.flight.spent_ms >.*/false/'
mutant 'a clock that went back is believed' src/cache/record.rs 's/if left_ms <= most { left_ms } else { 0 }/left_ms.min(whole_ms)/'

upload=src/upload/state.rs
chunks=src/upload/chunks.rs
mutant 'what was acknowledged is sent again' $upload '/fn learn(/,/^    }/s/self.missing.remove(.*);//'
mutant 'a chunk is lost' $chunks '/fn take(/,/^    }/s/gap.from = chunk.to;/gap.from = chunk.to.saturating_add(1).min(gap.to);/'
mutant 'the last chunk is as long as the others' $chunks '/fn take(/,/^    }/s/size.min(gap.len())/size/'
mutant 'a small gap is left' $chunks '/fn take(/,/^    }/s/gap.to != self.end/false/'
mutant 'a lost reply is not looked for' $upload '/fn chunk_failed(/,/^    }/s/failure.may_have_arrived \&\& self.can_ask()/false/'
mutant 'already sent is an error' $upload '/fn chunk_failed(/,/^    }/s/is_there \&\& work.may_have_arrived/false/'
mutant 'already sent is always a success' $upload '/fn chunk_failed(/,/^    }/s/is_there \&\& work.may_have_arrived/is_there/'
mutant 'an outage is found out by each chunk in turn' $upload '/fn take_up(/,/^    }/s/self.begun.len() >= most/self.under_way() >= most/'
mutant 'by token each chunk makes a video' $upload '/fn must_go_alone(/,/^    }/s/self.settings.by_token \&\& //;/fn job(/,/^    }/s/self.video_id.clone()/None/'
mutant 'by token all go at once' $upload '/fn must_go_alone(/,/^    }/s/self.settings.by_token/false/'
mutant 'a rejected token is used on' $upload '/fn note_rejection(/,/^    }/s/failure.refusal == Refusal::Unauthorized/false/'
mutant 'a token that came to its end counts as refused' $upload '/fn has_worked(/,/^    }/s/self.working_token == Some(token)/false/'
mutant 'chunks are not paced' src/upload/pace.rs '/fn next(/,/^    }/s/window.left == 0/false/'
mutant 'the pace forgets what is on its way' src/upload/pace.rs '/fn told(/,/^    }/s/saturating_sub(others as u64)/saturating_sub(0)/'
mutant 'a 429 holds one chunk only' src/upload/pace.rs '/fn refused(/,/^    }/s/self.not_before.max(Some(until))/self.not_before/'
mutant 'hundreds of retries' src/upload/policy.rs 's/MOST_FAILURES: u32 = 20/MOST_FAILURES: u32 = 500/'
mutant 'a video is taken for complete too early' $upload '/fn settle(/,/^    }/s/self.begun.is_empty() \&\& //'
mutant 'a stream ends without its last part' $upload '/fn end_at(/,/^    }/s/self.size = Some(size);/let _ = size;/'
mutant 'another file is mixed with what is there' $upload '/fn check(/,/^    }/s/total.filter(|total| \*total != size)/total.filter(|_| false)/'

echo "$found passed, $survived failed"
[ "$survived" = 0 ]
