//! Everything about a sandbox that changes, behind one lock.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;

use crate::api;
use crate::dates;
use crate::delivery::{self, Delivery};
use crate::faults::{FaultQueue, OutageMode, Revoke, Strike};
use crate::limits::{Kind, Limits, RateLimit};
use crate::log::{Counters, Log, LogEntry, selected_headers};
use crate::options::{Options, Settings};
use crate::received::ReceivedVideo;
use crate::reply::Reply;
use crate::request::{Endpoint, Request};
use crate::stored::{self, Chunk, Spool};
use crate::tokens::{Lifetime, Tokens};
use crate::upload_tokens::UploadTokens;
use crate::videos::Videos;
use crate::webhooks::{Message, Webhooks};

/// The state as the handle and the connections share it.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Has a lock of its own, since bytes take their time.
    pub(crate) spool: Arc<Spool>,
}

impl Shared {
    pub(crate) fn new(options: &Options, settings: Settings) -> Self {
        Self {
            state: Mutex::new(State::new(options, settings)),
            spool: Arc::default(),
        }
    }

    /// Sends on their way what messages there are, after some time.
    pub(crate) fn send_messages(self: &Arc<Self>, delay: Duration) {
        let messages = std::mem::take(&mut self.lock().outbox);
        delivery::send(self, messages, delay);
    }

    /// What was received of each video, without its SHA-256.
    pub(crate) fn received_videos(&self) -> Vec<ReceivedVideo> {
        let state = self.lock();
        state.videos.all().iter().map(ReceivedVideo::of).collect()
    }

    /// What was received of one video. Reads all of its bytes.
    pub(crate) fn received_video(&self, id: &str) -> Option<ReceivedVideo> {
        let (mut received, chunks) = {
            let state = self.lock();
            let video = state.videos.find(id).ok()?;
            let chunks: Vec<Chunk> = video.ingest.chunks().map(|(_, c)| c.clone()).collect();
            (ReceivedVideo::of(video), chunks)
        };
        received.sha256 = stored::sha256(&chunks);
        Some(received)
    }

    /// Every change is complete before the lock is released, and the lock is
    /// never held while waiting for anything.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

struct Outage {
    until: Duration,
    mode: OutageMode,
}

pub(crate) struct State {
    initial: Settings,
    pub(crate) settings: Settings,
    pub(crate) strict_origin: bool,
    limits: Limits,
    pub(crate) tokens: Tokens,
    pub(crate) videos: Videos,
    pub(crate) upload_tokens: UploadTokens,
    pub(crate) webhooks: Webhooks,
    /// Messages that are still to be sent on their way.
    outbox: Vec<Message>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) faults: FaultQueue,
    pub(crate) log: Log,
    pub(crate) counters: Counters,
    /// Connections that carried a request since the start or the last reset.
    connections: HashSet<u64>,
    outage: Option<Outage>,
    started: Instant,
    /// How far the sandbox's clock was put forward.
    ahead: Duration,
}

/// What is to become of a request that has just arrived.
pub(crate) struct Plan {
    /// The number of its entry in the log.
    pub(crate) seq: u64,
    pub(crate) latency: Duration,
    pub(crate) rate_limit: RateLimit,
    pub(crate) strike: Option<Strike>,
    replay_counted: bool,
}

impl State {
    fn new(options: &Options, settings: Settings) -> Self {
        Self {
            settings: settings.clone(),
            initial: settings,
            strict_origin: options.strict_origin,
            limits: Limits::default(),
            tokens: Tokens::new(),
            videos: Videos::new(),
            upload_tokens: UploadTokens::default(),
            webhooks: Webhooks::default(),
            outbox: Vec::new(),
            deliveries: Vec::new(),
            faults: FaultQueue::default(),
            log: Log::default(),
            counters: Counters::default(),
            connections: HashSet::new(),
            outage: None,
            started: Instant::now(),
            ahead: Duration::ZERO,
        }
    }

    /// Puts everything back to what it was at the start.
    pub(crate) fn reset(&mut self) {
        self.settings = self.initial.clone();
        self.limits = Limits::default();
        self.tokens = Tokens::new();
        self.videos = Videos::new();
        self.upload_tokens = UploadTokens::default();
        self.webhooks = Webhooks::default();
        self.deliveries.clear();
        self.faults.clear();
        self.log.clear();
        self.counters = Counters::default();
        self.connections.clear();
        self.outage = None;
        self.ahead = Duration::ZERO;
    }

    /// The sandbox's own time, which tokens and outages go by.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed().saturating_add(self.ahead)
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.ahead = self.ahead.saturating_add(by);
    }

    pub(crate) fn lifetime(&self) -> Lifetime {
        Lifetime {
            now: self.now(),
            unix_now: self.unix_now(),
            expires_in: self.settings.expires_in,
        }
    }

    /// Seconds since 1970 by the sandbox's clock.
    pub(crate) fn unix_now(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_add(self.ahead)
            .as_secs()
    }

    /// Begins an outage, or ends one if it is to last no time at all.
    pub(crate) fn set_outage(&mut self, duration: Duration, mode: OutageMode) {
        self.outage = (!duration.is_zero()).then(|| Outage {
            until: self.now().saturating_add(duration),
            mode,
        });
    }

    pub(crate) fn revoke(&mut self, what: Revoke) {
        if what != Revoke::Refresh {
            self.tokens.revoke_access();
        }
        if what != Revoke::Access {
            self.tokens.revoke_refresh();
        }
    }

    /// Records a request that has arrived, and decides what becomes of it.
    pub(crate) fn begin(&mut self, request: &Request, connection: u64) -> Plan {
        self.count_arrival(request, connection);
        let rate_limit = self.count(Kind::of(request));
        // What is refused does not come as far as any fault.
        let (strike, label) = match rate_limit.is_exceeded {
            true => (None, None),
            false => self.pick_fault(request),
        };
        let entry = self.entry(request, connection, label);
        Plan {
            seq: self.log.push(entry),
            latency: Duration::from_millis(self.settings.latency_ms),
            rate_limit,
            strike,
            replay_counted: self.count_replay(request),
        }
    }

    /// Counts a request against the limit that replies tell of.
    pub(crate) fn count(&mut self, kind: Kind) -> RateLimit {
        let now = self.now();
        self.limits.count(kind, now, &self.settings)
    }

    /// Handles a request in the ordinary way, and records what came of it.
    pub(crate) fn handle(&mut self, request: &Request, plan: &Plan) -> Reply {
        // Two requests with one token may both have arrived before either of
        // them used it, so the second is recognised only now.
        if !plan.replay_counted {
            self.count_replay(request);
        }
        let outcome = match plan.rate_limit.is_exceeded {
            true => too_many_requests().into(),
            false => api::handle(self, request),
        };
        self.count_outcome(request.endpoint(), outcome.reply.is_success());
        if let Some(entry) = self.log.get_mut(plan.seq) {
            entry.granted_refresh_token_id = outcome.granted;
            entry.handled(&outcome.reply);
        }
        outcome.reply
    }

    /// Why a request can be refused by its head, if it is to be.
    pub(crate) fn refuse_early(&self, request: &Request, plan: &Plan) -> Option<Reply> {
        if !self.settings.early_refusals && !request.expects_continue() {
            return None;
        }
        match plan.rate_limit.is_exceeded {
            true => Some(too_many_requests()),
            false => api::admit(self, request).err(),
        }
    }

    /// Tells the webhooks that want to know of an event.
    pub(crate) fn emit(&mut self, mut event: Value) {
        event["emittedAt"] = dates::atom(self.unix_now()).into();
        self.outbox.extend(self.webhooks.messages(&event));
    }

    /// Records a try to tell a webhook, and says how long to wait for another.
    pub(crate) fn delivered(
        &mut self,
        message: &Message,
        attempt: u32,
        answer: io::Result<u16>,
    ) -> Duration {
        self.deliveries.push(Delivery {
            webhook_id: message.webhook_id.clone(),
            event: message.event.clone(),
            attempt,
            status: answer.as_ref().ok().copied(),
            error: answer.err().map(|error| error.to_string()),
        });
        Duration::from_millis(self.settings.webhook_retry_ms)
    }

    /// Records why a request was not handled.
    pub(crate) fn refused(&mut self, request: &Request, plan: &Plan, refusal: &Reply) {
        self.count_outcome(request.endpoint(), false);
        if let Some(entry) = self.log.get_mut(plan.seq) {
            entry.handled(refusal);
        }
    }

    /// Records that so much more of an upload has come.
    pub(crate) fn received(&mut self, seq: u64, length: u64) {
        if let Some(entry) = self.log.get_mut(seq) {
            entry.received += length;
        }
    }

    /// Records the status that is about to be sent.
    pub(crate) fn finish(&mut self, plan: &Plan, status: u16) {
        if let Some(entry) = self.log.get_mut(plan.seq) {
            entry.status = Some(status);
        }
    }

    /// An outage comes before any rule, and uses none up.
    fn pick_fault(&mut self, request: &Request) -> (Option<Strike>, Option<&'static str>) {
        let now = self.now();
        let outage = self.outage.as_ref().filter(|outage| now < outage.until);
        let picked = match outage {
            Some(outage) => (Some(outage.mode.fault().into()), Some("outage")),
            None => {
                let strike = self.faults.next(request);
                let kind = strike.as_ref().map(|strike| strike.fault.kind());
                (strike, kind)
            }
        };
        if picked.0.is_some() {
            self.counters.faults += 1;
        }
        picked
    }

    fn entry(&self, request: &Request, connection: u64, fault: Option<&'static str>) -> LogEntry {
        let refresh_token = request.refresh_token();
        let access_token = request.access_token();
        LogEntry {
            seq: 0,
            at_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            method: request.method.to_string(),
            path: request.path_to_log(),
            connection,
            range: request.header("content-range").map(str::to_owned),
            received: request.body.len() as u64,
            outcome: None,
            problem: None,
            video_id: None,
            status: None,
            fault,
            headers: selected_headers(&request.headers),
            refresh_token_id: refresh_token.and_then(|token| self.tokens.refresh_id(&token)),
            access_token_id: access_token.and_then(|token| self.tokens.access_id(token)),
            granted_refresh_token_id: None,
        }
    }

    fn count_arrival(&mut self, request: &Request, connection: u64) {
        let counters = &mut self.counters;
        counters.requests += 1;
        match request.endpoint() {
            Endpoint::ApiKey => counters.api_key.requests += 1,
            Endpoint::Refresh => counters.refresh.requests += 1,
            Endpoint::Videos => counters.videos.requests += 1,
            Endpoint::Source | Endpoint::Upload => counters.uploads.requests += 1,
            _ => {}
        }
        self.connections.insert(connection);
        counters.connections = self.connections.len() as u64;
    }

    fn count_outcome(&mut self, endpoint: Endpoint, success: bool) {
        let counters = &mut self.counters;
        let (ok, rejected) = match endpoint {
            Endpoint::ApiKey => (&mut counters.api_key.ok, &mut counters.api_key.rejected),
            Endpoint::Refresh => (&mut counters.refresh.ok, &mut counters.refresh.rejected),
            Endpoint::Videos => (&mut counters.videos.ok, &mut counters.videos.rejected),
            Endpoint::Source | Endpoint::Upload => {
                (&mut counters.uploads.ok, &mut counters.uploads.rejected)
            }
            _ => return,
        };
        *(if success { ok } else { rejected }) += 1;
    }

    fn count_replay(&mut self, request: &Request) -> bool {
        let replayed = request
            .refresh_token()
            .is_some_and(|token| self.tokens.is_used(&token));
        if replayed {
            self.counters.refresh.replayed += 1;
        }
        replayed
    }
}

fn too_many_requests() -> Reply {
    Reply::problem(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "There were too many requests in this window.",
    )
}
