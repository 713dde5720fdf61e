//! What is known of one upload, and what follows from it: the pure heart.
//!
//! Nothing here reads a clock, draws a random number, takes a lock or does I/O. Whoever drives it
//! asks [`State::next`] what to do, does it, and reports what came of it. Several may do so side by
//! side, each with a connection of its own.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::chunks::{Chunk, Form, Missing};
use super::exchange::{Ask, Failure, Ingest, Job, Receipt, Received, Refusal, Rejected};
use super::pace::{Limits, Pace};
use super::policy::{Failures, SMALLEST_CHUNK};
use crate::cache::backoff::asked_delay;
use crate::clock::Context;
use crate::error::{Error, Status};

/// What an upload is.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// None: that of a stream, which is known when it ends.
    pub(crate) size: Option<u64>,
    /// The program hands over the bytes, one chunk after the other.
    pub(crate) is_pushed: bool,
    pub(crate) chunk_size: u64,
    pub(crate) parallel: usize,
    /// An earlier upload may have sent a part: ask which.
    pub(crate) resume: bool,
    /// By an upload token, which makes the video if none is named.
    pub(crate) by_token: bool,
    pub(crate) video_id: Option<String>,
    /// The client has an API key. So it can ask about the video.
    pub(crate) has_key: bool,
}

/// A complete upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completed<R> {
    /// The reply with the video. None where it was lost, and nobody could ask for it again.
    pub(crate) reply: Option<R>,
    pub(crate) video_id: Option<String>,
}

/// What a program's bytes are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// What is missing is not known yet.
    NotYet,
    /// This chunk.
    Chunk(Chunk),
    /// Nothing more: api.video has the rest.
    Nothing,
}

/// For the log.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// What failed is done again.
    Again { error: Error, in_ms: i64 },
    /// api.video has so many bytes already.
    Resumed(u64),
    /// A chunk whose reply was lost has arrived.
    ArrivedUnseen(Chunk),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Again { error, in_ms } => {
                let seconds = *in_ms as f64 / 1000.0;
                write!(f, "{error} Next try in {seconds:.1} s.")
            }
            Note::Resumed(bytes) => write!(f, "resumed; api.video has {bytes} bytes already."),
            Note::ArrivedUnseen(chunk) => {
                write!(
                    f,
                    "the bytes {chunk} have arrived, though the reply was lost."
                )
            }
        }
    }
}

/// What whoever reported an outcome has to carry out.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// The access token was rejected.
    pub(crate) rejected: Option<Rejected>,
    pub(crate) notes: Vec<Note>,
}

/// Where an upload stands.
enum Phase<R> {
    /// What api.video has is being asked.
    Asking(Query),
    Sending,
    /// All has arrived; the video is being asked for.
    Fetching(Query),
    Over(Result<Completed<R>, Error>),
}

/// A question that is asked until it is answered.
#[derive(Clone, Copy, Default)]
struct Query {
    failures: Failures,
    not_before: i64,
    is_under_way: bool,
}

/// A chunk that was taken up, and has not arrived as far as is known.
struct Work {
    failures: Failures,
    not_before: i64,
    is_under_way: bool,
    next: Next,
    /// All of it was sent once, and the reply was lost.
    may_have_arrived: bool,
    /// api.video has listed it.
    is_listed: bool,
}

/// What becomes of a chunk next.
enum Next {
    Send,
    /// Ask whether it arrived; if not, send it.
    Look,
    /// api.video refused it as already sent, and this process has not sent it: ask until it is
    /// listed.
    Watch(Error),
}

/// One upload. `R` is a reply.
pub(crate) struct State<R> {
    settings: Settings,
    phase: Phase<R>,
    form: Form,
    /// Known from the start, or when the stream has ended.
    size: Option<u64>,
    /// api.video had nothing of it when it began.
    is_fresh: bool,
    /// Of a stream that goes on: where its last part begins, which api.video has already.
    last_part: Option<u64>,
    missing: Missing,
    /// Chunks that are being filled with the program's bytes.
    being_filled: usize,
    /// Chunks that were filled.
    filled: VecDeque<Chunk>,
    begun: BTreeMap<Chunk, Work>,
    pace: Pace,
    acknowledged: u64,
    video_id: Option<String>,
    /// The last token that was taken, and the last that was rejected.
    working_token: Option<u64>,
    rejected_token: Option<u64>,
    /// The reply with the whole video.
    video: Option<R>,
    effects: Effects,
}

impl<R: Clone> State<R> {
    pub(crate) fn new(settings: Settings) -> State<R> {
        State {
            phase: match settings.resume {
                true => Phase::Asking(Query::default()),
                false => Phase::Sending,
            },
            form: match settings.size {
                Some(_) => Form::Bytes,
                None => Form::Parts,
            },
            size: settings.size,
            is_fresh: true,
            last_part: None,
            missing: Missing::all(settings.size),
            being_filled: 0,
            filled: VecDeque::new(),
            begun: BTreeMap::new(),
            pace: Pace::default(),
            acknowledged: 0,
            video_id: settings.video_id.clone(),
            working_token: None,
            rejected_token: None,
            video: None,
            effects: Effects::default(),
            settings,
        }
    }

    // --- What is known ---

    /// Bytes that api.video has, as far as it has said so.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.min(self.size.unwrap_or(u64::MAX))
    }

    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    pub(crate) fn video_id(&self) -> Option<&str> {
        self.video_id.as_deref()
    }

    /// How it ended, once it has.
    pub(crate) fn result(&self) -> Option<&Result<Completed<R>, Error>> {
        match &self.phase {
            Phase::Over(result) => Some(result),
            _ => None,
        }
    }

    /// What has to be carried out since the last call.
    pub(crate) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// Whether the video can be asked about: that needs an API key.
    fn can_ask(&self) -> bool {
        self.settings.has_key && self.video_id.is_some()
    }

    /// Chunks of a stream whose bytes are held.
    fn held_chunks(&self) -> usize {
        self.being_filled + self.filled.len() + self.begun.len()
    }

    /// Whether there is room for the bytes of one more.
    pub(crate) fn has_room(&self) -> bool {
        self.held_chunks() < self.settings.parallel
    }

    /// Whether the bytes of this chunk are needed.
    pub(crate) fn holds(&self, chunk: Chunk) -> bool {
        self.begun.contains_key(&chunk) || self.filled.contains(&chunk)
    }

    /// How many can work at it side by side.
    pub(crate) fn lanes(&self) -> usize {
        let size = self.size.unwrap_or(u64::MAX);
        let chunks = size.div_ceil(self.next_size().min(self.settings.chunk_size));
        let chunks = usize::try_from(chunks).unwrap_or(usize::MAX);
        self.settings.parallel.min(chunks).max(1)
    }

    /// Until the first chunk's reply names the video, another would make a video of its own.
    fn must_go_alone(&self) -> bool {
        self.settings.by_token && self.video_id.is_none()
    }

    fn under_way(&self) -> usize {
        self.begun.values().filter(|work| work.is_under_way).count()
    }

    // --- What is to be done ---

    /// The next thing to do. Whoever gets it does it, and reports.
    pub(crate) fn next(&mut self, now: i64) -> Ask {
        match &mut self.phase {
            Phase::Asking(query) => query.begin(now, Ask::Status(None)),
            Phase::Fetching(query) => query.begin(now, Ask::Video),
            Phase::Over(_) => Ask::End,
            Phase::Sending => self.next_of_chunks(now),
        }
    }

    fn next_of_chunks(&mut self, now: i64) -> Ask {
        if let Some(chunk) = self.due(now, |next| !matches!(next, Next::Send)) {
            return Ask::Status(Some(self.begin(chunk)));
        }
        let send_at = self.pace.next(now);
        if send_at > now {
            let ask_at = self.first_due(|next| !matches!(next, Next::Send));
            return Ask::Wait([Some(send_at), ask_at].into_iter().flatten().min());
        }
        let due = self.due(now, |next| matches!(next, Next::Send));
        match due.or_else(|| self.take_up()) {
            Some(chunk) => {
                self.pace.sending(now);
                let chunk = self.begin(chunk);
                Ask::Send(self.job(chunk))
            }
            None => Ask::Wait(self.first_due(|_| true)),
        }
    }

    /// A chunk that was begun, and whose time has come.
    fn due(&self, now: i64, is: impl Fn(&Next) -> bool) -> Option<Chunk> {
        let is_due = |work: &Work| !work.is_under_way && work.not_before <= now && is(&work.next);
        let found = self.begun.iter().find(|(_, work)| is_due(work));
        found.map(|(chunk, _)| *chunk)
    }

    fn first_due(&self, is: impl Fn(&Next) -> bool) -> Option<i64> {
        let waits = |work: &&Work| !work.is_under_way && is(&work.next);
        let waiting = self.begun.values().filter(waits);
        waiting.map(|work| work.not_before).min()
    }

    /// A chunk that was not begun. One that waits to be tried again keeps its place: in an outage
    /// not each of them in turn must find it out.
    fn take_up(&mut self) -> Option<Chunk> {
        let most = match self.must_go_alone() {
            true => 1,
            false => self.settings.parallel,
        };
        if self.begun.len() >= most {
            return None;
        }
        let chunk = match self.settings.is_pushed {
            true => self.filled.pop_front(),
            false => self.missing.take(self.next_size()),
        }?;
        self.begun.insert(chunk, Work::new());
        Some(chunk)
    }

    /// By token the first chunk is the smallest that api.video takes: nothing else can be sent
    /// until its reply names the video, and should that be lost, what stays behind is not a whole
    /// video.
    fn next_size(&self) -> u64 {
        match self.must_go_alone() && self.form == Form::Bytes {
            true => SMALLEST_CHUNK,
            false => self.settings.chunk_size,
        }
    }

    fn begin(&mut self, chunk: Chunk) -> Chunk {
        if let Some(work) = self.begun.get_mut(&chunk) {
            work.is_under_way = true;
        }
        chunk
    }

    fn job(&self, chunk: Chunk) -> Job {
        let is_whole = self.is_fresh && chunk.from == 0 && Some(chunk.to) == self.size;
        let range = || {
            self.form
                .content_range(chunk, self.size, self.settings.chunk_size)
        };
        Job {
            chunk,
            content_range: (!is_whole).then(range),
            video_id: self.video_id.clone().filter(|_| self.settings.by_token),
        }
    }

    // --- What a program hands over ---

    /// What the program's next bytes are for.
    pub(crate) fn fill(&mut self) -> Fill {
        if matches!(self.phase, Phase::Asking(_)) {
            return Fill::NotYet;
        }
        // The first is taken long before its reply may come.
        let size = match self.held_chunks() {
            0 => self.next_size(),
            _ => self.settings.chunk_size,
        };
        match self.missing.take(size).filter(|_| !self.is_over()) {
            Some(chunk) => {
                self.being_filled += 1;
                Fill::Chunk(chunk)
            }
            None => Fill::Nothing,
        }
    }

    /// All bytes of a chunk are there.
    pub(crate) fn filled(&mut self, chunk: Chunk) {
        self.being_filled -= 1;
        self.filled.push_back(chunk);
        self.settle();
    }

    /// The stream has ended, after so many bytes.
    pub(crate) fn end_at(&mut self, size: u64) {
        self.size = Some(size);
        self.missing.end_at(size);
        if let Some(from) = self.last_part {
            let last = size.saturating_sub(from);
            if last == 0 || last > self.settings.chunk_size {
                return self.fail(another_source(from + 1, size));
            }
            self.acknowledged += last;
        }
        self.settle();
    }

    // --- What came of it ---

    /// A chunk was sent with this token; 0 where it went without one.
    pub(crate) fn on_chunk(
        &mut self,
        chunk: Chunk,
        token: u64,
        outcome: Result<Receipt<R>, Box<Failure>>,
        limits: Option<Limits>,
        at: Context,
    ) {
        let Some(mut work) = self.take_work(chunk) else {
            return;
        };
        if let Some(limits) = limits {
            self.pace.told(limits, self.under_way(), at.now.mono_ms);
        }
        match outcome {
            Ok(receipt) => {
                self.working_token = Some(token);
                self.video_id = self.video_id.take().or(receipt.video_id);
                self.video = receipt
                    .is_video
                    .then_some(receipt.reply)
                    .or(self.video.take());
                self.acknowledge(chunk);
            }
            Err(failure) => {
                work.may_have_arrived |= failure.may_have_arrived;
                self.chunk_failed(chunk, work, token, failure, at);
            }
        }
    }

    /// The chunk's work, which nobody is at any more. None once the upload is over.
    fn take_work(&mut self, chunk: Chunk) -> Option<Work> {
        let mut work = self.begun.remove(&chunk).filter(|_| !self.is_over())?;
        work.is_under_way = false;
        Some(work)
    }

    fn chunk_failed(
        &mut self,
        chunk: Chunk,
        mut work: Work,
        token: u64,
        failure: Box<Failure>,
        at: Context,
    ) {
        let is_there = matches!(
            failure.refusal,
            Refusal::AlreadySent | Refusal::AlreadyUploaded
        );
        if work.is_listed || is_there && work.may_have_arrived && !self.settings.resume {
            return self.arrived_unseen(chunk);
        }
        // What an earlier process sent is listed sooner or later, and it may be only a part of this.
        if is_there && self.settings.resume {
            work.next = Next::Watch(failure.error);
            return self.watch(chunk, work, at);
        }
        // With the chunk to be sent anyway, it need not be asked for twice.
        work.next = match failure.may_have_arrived && self.can_ask() {
            true => Next::Look,
            false => Next::Send,
        };
        match self.again(&mut work.failures, token, failure, at) {
            Some(not_before) => {
                work.not_before = not_before;
                self.begun.insert(chunk, work);
            }
            None => self.settle(),
        }
    }

    /// api.video's answer to the question what has arrived: of all, or of one chunk.
    pub(crate) fn on_status(
        &mut self,
        about: Option<Chunk>,
        token: u64,
        outcome: Result<Ingest, Box<Failure>>,
        at: Context,
    ) {
        if outcome.is_ok() {
            self.working_token = Some(token);
        }
        match (about, outcome) {
            (None, Ok(ingest)) => self.adopt(&ingest),
            (None, Err(failure)) => self.query_failed(token, failure, at),
            (Some(chunk), outcome) => self.on_chunk_status(chunk, token, outcome, at),
        }
    }

    fn on_chunk_status(
        &mut self,
        chunk: Chunk,
        token: u64,
        outcome: Result<Ingest, Box<Failure>>,
        at: Context,
    ) {
        let Some(mut work) = self.take_work(chunk) else {
            return;
        };
        match outcome {
            Ok(ingest) => {
                if let Err(error) = self.check(&ingest) {
                    return self.fail(error);
                }
                self.learn(&ingest);
                work.is_listed |= self.has(&ingest, chunk);
            }
            Err(failure) => self.note_rejection(token, &failure),
        }
        if work.is_listed {
            return self.arrived_unseen(chunk);
        }
        if matches!(work.next, Next::Watch(_)) {
            return self.watch(chunk, work, at);
        }
        // Not there, or nobody could say: then to send it tells.
        work.next = Next::Send;
        self.begun.insert(chunk, work);
    }

    /// Asks for a chunk again in a while, unless that was often enough.
    fn watch(&mut self, chunk: Chunk, mut work: Work, at: Context) {
        match (work.failures.passing(at.random), work.next) {
            (Some(delay), next) => {
                work.not_before = at.now.mono_ms.saturating_add(delay);
                work.next = next;
                self.begun.insert(chunk, work);
            }
            (None, Next::Watch(error)) => self.fail(error),
            (None, _) => {}
        }
    }

    /// The reply to the question for the video.
    pub(crate) fn on_video(&mut self, token: u64, outcome: Result<R, Box<Failure>>, at: Context) {
        match outcome {
            Ok(reply) => {
                self.video = Some(reply);
                self.settle();
            }
            Err(failure) => self.query_failed(token, failure, at),
        }
    }

    fn query_failed(&mut self, token: u64, failure: Box<Failure>, at: Context) {
        let (Phase::Asking(query) | Phase::Fetching(query)) = &self.phase else {
            return;
        };
        let (mut query, is_complete) = (*query, matches!(self.phase, Phase::Fetching(_)));
        query.is_under_way = false;
        let error = failure.error.clone();
        match self.again(&mut query.failures, token, failure, at) {
            Some(not_before) => {
                query.not_before = not_before;
                self.phase = match is_complete {
                    true => Phase::Fetching(query),
                    false => Phase::Asking(query),
                };
            }
            // All has arrived, and that is what counts.
            None if is_complete => self.complete(),
            None => self.fail(error),
        }
    }

    /// The program does not want it any more, or its source cannot be read.
    pub(crate) fn fail(&mut self, error: Error) {
        if !self.is_over() {
            self.phase = Phase::Over(Err(error));
            // Their bytes may be large.
            self.begun.clear();
            self.filled.clear();
        }
    }

    // --- What follows ---

    /// When to try again after a failure. None if it is final; then the upload has failed, unless
    /// it only asked for a video that is complete.
    fn again(
        &mut self,
        failures: &mut Failures,
        token: u64,
        failure: Box<Failure>,
        at: Context,
    ) -> Option<i64> {
        let now = at.now.mono_ms;
        let is_repeated = self.rejected_token == Some(token);
        self.note_rejection(token, &failure);
        let asked = asked_delay(&failure.error);
        let delay = match failure.refusal {
            // It has come to its end, and another will help, if there is one.
            Refusal::Unauthorized if self.has_worked(token) && !is_repeated => Some(0),
            Refusal::Unauthorized if self.working_token.is_none() => {
                failures.unauthorized(at.random)
            }
            // There is none yet, or it is too new to be replaced: it will be, in a minute.
            Refusal::Unauthorized => failures.passing(at.random),
            Refusal::Limited => {
                let delay = failures.limited(at.random);
                delay.map(|delay| asked.unwrap_or(delay))
            }
            Refusal::Passing => {
                let delay = failures.passing(at.random);
                delay.map(|delay| delay.max(asked.unwrap_or(0)))
            }
            Refusal::AlreadySent | Refusal::AlreadyUploaded | Refusal::Final => None,
        };
        let Some(delay) = delay else {
            if !matches!(self.phase, Phase::Fetching(_)) {
                self.fail(failure.error);
            }
            return None;
        };
        let until = now.saturating_add(delay);
        if failure.refusal == Refusal::Limited {
            self.pace.refused(until);
        }
        self.effects.notes.push(Note::Again {
            error: failure.error,
            in_ms: delay,
        });
        Some(until)
    }

    fn note_rejection(&mut self, token: u64, failure: &Failure) {
        if failure.refusal == Refusal::Unauthorized {
            self.rejected_token = Some(token);
            self.effects.rejected = Some(Rejected {
                token,
                has_worked: self.has_worked(token),
            });
        }
    }

    /// api.video took this token before.
    fn has_worked(&self, token: u64) -> bool {
        self.working_token == Some(token)
    }

    fn acknowledge(&mut self, chunk: Chunk) {
        self.acknowledged = self.acknowledged.saturating_add(chunk.len());
        self.settle();
    }

    fn arrived_unseen(&mut self, chunk: Chunk) {
        self.effects.notes.push(Note::ArrivedUnseen(chunk));
        self.acknowledge(chunk);
    }

    /// Sees whether all has arrived.
    fn settle(&mut self) {
        let is_sent = self.missing.is_empty() && self.being_filled == 0;
        let is_there = self.filled.is_empty() && self.begun.is_empty() && self.size.is_some();
        if !(is_sent && is_there) || matches!(self.phase, Phase::Asking(_) | Phase::Over(_)) {
            return;
        }
        match self.video.is_none() && self.can_ask() {
            true => self.phase = Phase::Fetching(Query::default()),
            false => self.complete(),
        }
    }

    fn complete(&mut self) {
        self.phase = Phase::Over(Ok(Completed {
            reply: self.video.take(),
            video_id: self.video_id.clone(),
        }));
    }

    /// Begins with what api.video has already.
    fn adopt(&mut self, ingest: &Ingest) {
        if !matches!(self.phase, Phase::Asking(_)) {
            return;
        }
        if let Err(error) = self.check(ingest) {
            return self.fail(error);
        }
        self.phase = Phase::Sending;
        self.form = match ingest.received {
            Received::Nothing => self.form,
            Received::Bytes { .. } => Form::Bytes,
            Received::Parts { .. } => Form::Parts,
        };
        self.is_fresh = ingest.received == Received::Nothing;
        if ingest.is_complete {
            let size = self.size.or(ingest.size).unwrap_or(0);
            self.size = Some(size);
            self.missing = Missing::all(Some(0));
            self.acknowledged = size;
        }
        self.learn(ingest);
        self.effects.notes.push(Note::Resumed(self.acknowledged()));
        self.settle();
    }

    /// What api.video lists need not be sent, whoever sent it: an earlier process may have, just
    /// before it ended.
    fn learn(&mut self, ingest: &Ingest) {
        self.find_last_part(&ingest.received);
        let before = self.missing.len();
        self.missing.remove(&self.chunks_of(&ingest.received));
        let mut learned = before - self.missing.len();
        let (mut begun, mut filled) = (
            std::mem::take(&mut self.begun),
            std::mem::take(&mut self.filled),
        );
        let mut is_left = |chunk: &Chunk| {
            let has = self.has(ingest, *chunk);
            learned += if has { chunk.len() } else { 0 };
            !has
        };
        filled.retain(&mut is_left);
        begun.retain(|chunk, work| match work.is_under_way {
            true => {
                work.is_listed |= self.has(ingest, *chunk);
                true
            }
            false => is_left(chunk),
        });
        (self.begun, self.filled) = (begun, filled);
        self.acknowledged = self.acknowledged.saturating_add(learned);
    }

    /// How long a stream's last part is tells only its end.
    fn find_last_part(&mut self, received: &Received) {
        if let (
            None,
            Received::Parts {
                numbers,
                total: Some(total),
            },
        ) = (self.size, received)
            && numbers.contains(total)
        {
            let from = total
                .saturating_sub(1)
                .saturating_mul(self.settings.chunk_size);
            self.last_part = Some(from);
            self.missing.end_at(from);
        }
    }

    /// Whether what api.video has can be of this source.
    fn check(&self, ingest: &Ingest) -> Result<(), Error> {
        let Some(size) = self.size else {
            return check_without_size(ingest);
        };
        if let Some(other) = ingest
            .size
            .filter(|other| ingest.is_complete && *other != size)
        {
            return Err(another_source(other, size));
        }
        let parts = size.div_ceil(self.settings.chunk_size);
        // Without a total, what lies beyond the end tells as well.
        match &ingest.received {
            Received::Nothing => Ok(()),
            Received::Bytes { ranges, total } => {
                let end = ranges.iter().map(|range| range.to).max();
                let beyond = end.filter(|end| *end > size);
                let other = total.filter(|total| *total != size).or(beyond);
                other.map_or(Ok(()), |other| Err(another_source(other, size)))
            }
            Received::Parts { numbers, total } => {
                let beyond = numbers.iter().copied().max().filter(|last| *last > parts);
                let other = total.filter(|total| *total != parts).or(beyond);
                other.map_or(Ok(()), |other| Err(other_chunks(other, parts)))
            }
        }
    }

    fn has(&self, ingest: &Ingest, chunk: Chunk) -> bool {
        let mut left = Missing::all(Some(chunk.to));
        left.remove(&[Chunk::new(0, chunk.from)]);
        left.remove(&self.chunks_of(&ingest.received));
        ingest.is_complete || left.is_empty()
    }

    fn chunks_of(&self, received: &Received) -> Vec<Chunk> {
        let end = self.size.unwrap_or(u64::MAX);
        match received {
            Received::Nothing => Vec::new(),
            Received::Bytes { ranges, .. } => ranges.clone(),
            Received::Parts { numbers, .. } => numbers
                .iter()
                .map(|number| {
                    let to = number.saturating_mul(self.settings.chunk_size);
                    Chunk::new(to.saturating_sub(self.settings.chunk_size), to.min(end))
                })
                .collect(),
        }
    }
}

impl Query {
    fn begin(&mut self, now: i64, ask: Ask) -> Ask {
        if self.is_under_way {
            return Ask::Wait(None);
        }
        if self.not_before > now {
            return Ask::Wait(Some(self.not_before));
        }
        self.is_under_way = true;
        ask
    }
}

impl Work {
    fn new() -> Work {
        Work {
            failures: Failures::default(),
            not_before: i64::MIN,
            is_under_way: false,
            next: Next::Send,
            may_have_arrived: false,
            is_listed: false,
        }
    }
}

/// A stream's chunks are parts; those with a size are ranges of bytes, and api.video takes no both.
fn check_without_size(ingest: &Ingest) -> Result<(), Error> {
    match ingest.received {
        Received::Bytes {
            total: Some(total), ..
        } if !ingest.is_complete => Err(Error::invalid(format!(
            "The upload was begun with its size, {total} bytes. Set `size` as it was."
        ))),
        _ => Ok(()),
    }
}

fn another_source(theirs: u64, ours: u64) -> Error {
    Error::new(
        Status::FileError,
        format!(
            "The upload was begun with another file: api.video has one of {theirs} bytes, and this \
             one has {ours}. Make a new video for it."
        ),
    )
}

fn other_chunks(theirs: u64, ours: u64) -> Error {
    Error::invalid(format!(
        "The upload was begun in {theirs} parts, and `chunk_size` makes {ours} of this file. Set it \
         as it was."
    ))
}
