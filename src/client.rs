//! A client: one API key, one token, any number of threads.

use std::ffi::{CStr, CString};
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::api_key::checked_api_key;
use crate::auth::{Auth, NoKey};
use crate::cache::completion::Completion;
use crate::cache::exchange::Endpoint;
use crate::cache::record::Store;
use crate::cache::statistics::Statistics;
use crate::cache::waiters::{Purpose, TokenRequest, WaiterId};
use crate::cache::{Dependencies, TokenCache};
use crate::clock::{Clock, SystemClock, random};
use crate::config::Config;
use crate::environment;
use crate::error::{Error, Status};
use crate::ffi::privileges;
use crate::ffi::secret::Secret;
use crate::ffi::sys;
use crate::process::{fork, timer};
use crate::request::checks::Checked;
use crate::request::response::Response;
use crate::request::{Limits, Requests, Task};
use crate::token::Token;
use crate::upload::handle::Upload;
use crate::upload::{self, Uploads};

/// Hands any thread a valid token for one API key. Dropping it ends every wait, and waits for
/// nothing itself.
pub struct Client {
    inner: ClientInner,
    base_url: CString,
}

fn no_key(rights_are_raised: bool) -> String {
    let name = environment::API_KEY;
    match rights_are_raised {
        false => {
            format!("There is no API key: neither `api_key` nor {name} of the environment is set.")
        }
        true => format!(
            "There is no API key: `api_key` is not set, and {name} is not read, since the program has more rights than its user."
        ),
    }
}

impl Client {
    /// A client with a copy of `config`, filled in from the environment where that names no server
    /// or no CA file. It reads the environment's CA file, and nothing else: the first token is got
    /// when it is first asked for.
    pub fn new(api_key: &str, config: &Config) -> Result<Client, Error> {
        Client::with_key(checked_api_key("api_key", api_key)?, config)
    }

    /// A client for the API key that APIVIDEO_API_KEY of the environment names.
    pub fn from_environment(config: &Config) -> Result<Client, Error> {
        let setting = environment::API_KEY;
        match environment::text(setting, &environment::variable)?.map(Zeroizing::new) {
            Some(key) => Client::with_key(checked_api_key(setting, &key)?, config),
            None => Err(Error::new(
                Status::NullArgument,
                no_key(privileges::are_raised()),
            )),
        }
    }

    /// A client without an API key, for uploads by token: for a program in the hands of people who
    /// must not have the key. It has no access token, and makes no requests.
    pub fn without_key(config: &Config) -> Result<Client, Error> {
        Client::make(config, None)
    }

    fn with_key(api_key: &str, config: &Config) -> Result<Client, Error> {
        Client::make(config, Some(api_key))
    }

    fn make(config: &Config, api_key: Option<&str>) -> Result<Client, Error> {
        let config = config.filled_in(environment::variable)?;
        fork::watch();
        sys::stay_loaded();
        let http = Arc::new(config.http());
        let store = api_key.and_then(|key| config.store(key));
        let api_key = api_key.map(|key| Arc::new(Secret::new(key)));
        let endpoint: Box<dyn Endpoint> = match api_key.clone() {
            Some(key) => Box::new(Auth::new(Arc::clone(&http), config.server(), key)),
            None => Box::new(NoKey),
        };
        let dependencies = Dependencies {
            clock: Arc::new(SystemClock),
            random: Box::new(random),
            endpoint,
            observer: config.observer(),
            spawn: |work| sys::spawn("apivideo-renew", work).map_err(|why| Error::no_thread(&why)),
            alarm: timer::alarm,
            store: store.map(|(store, timeout)| (Arc::new(store) as Arc<dyn Store>, timeout)),
        };
        let cache = TokenCache::new(dependencies, config.keeps_fresh());
        let limits = Limits {
            wait_timeout_ms: config.wait_timeout_ms(),
            wait_for_recovery: config.waits_for_recovery(),
            largest_reply: config.max_reply_bytes(),
            api_key: api_key.clone(),
        };
        let uploads = Uploads::new(upload::Dependencies {
            http: Arc::clone(&http),
            server: config.server(),
            tokens: Arc::clone(&cache),
            observer: config.observer(),
            wait_timeout_ms: config.wait_timeout_ms(),
            largest_reply: config.max_reply_bytes(),
            api_key,
        });
        Ok(Client {
            // It was checked: there is no NUL in it.
            base_url: CString::new(config.base_url()).unwrap_or_default(),
            inner: ClientInner {
                requests: Requests::new(http, config.server(), Arc::clone(&cache), limits),
                uploads,
                cache,
                wait_timeout_ms: config.wait_timeout_ms(),
                wait_for_recovery: config.waits_for_recovery(),
            },
        })
    }

    /// The server that the client gets its tokens from, such as `https://ws.api.video`.
    pub fn base_url(&self) -> &str {
        self.base_url_c().to_str().unwrap_or_default()
    }

    /// [`Client::base_url`] with a NUL at its end.
    pub(crate) fn base_url_c(&self) -> &CStr {
        &self.base_url
    }

    /// What calls need, to use while the client itself may be freed.
    #[cfg(feature = "capi")]
    pub(crate) fn inner(&self) -> ClientInner {
        self.inner.clone()
    }
}

impl Deref for Client {
    type Target = ClientInner;

    fn deref(&self) -> &ClientInner {
        &self.inner
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.inner.cache.close();
        self.inner.requests.close();
        self.inner.uploads.close();
    }
}

/// What a [`Client`] does. A clone outlives the client: calls under way then end with
/// [`Status::Closed`].
#[derive(Clone)]
pub struct ClientInner {
    cache: Arc<TokenCache>,
    requests: Arc<Requests>,
    uploads: Arc<Uploads>,
    wait_timeout_ms: u32,
    wait_for_recovery: bool,
}

impl ClientInner {
    /// A valid token: at once if there is one, else when the exchange that is then made gives one.
    pub fn get_token(&self) -> Result<Arc<Token>, Error> {
        self.get_token_valid_for(0)
    }

    /// A valid token if there is one at once.
    pub(crate) fn read(&self) -> Option<Arc<Token>> {
        self.cache.read()
    }

    /// [`Token::id`] of the token that [`ClientInner::get_token`] would give at once, if there is
    /// one: a caller that keeps a copy of a token's text learns whether that is still the one.
    pub fn token_id(&self) -> Option<u64> {
        self.read().map(|token| token.id())
    }

    /// A token that is good for at least `min_validity_ms` from now, for a long request.
    pub fn get_token_valid_for(&self, min_validity_ms: u64) -> Result<Arc<Token>, Error> {
        match self.read_valid_for(min_validity_ms) {
            Some(token) => Ok(token),
            None => self
                .cache
                .get(self.token_request(Purpose::Token, min_validity_ms)),
        }
    }

    /// [`ClientInner::get_token_valid_for`] without waiting: the answer comes to the operation.
    pub fn start_get_token(&self, min_validity_ms: u64) -> Operation {
        match self.read_valid_for(min_validity_ms) {
            Some(token) => {
                let completion = Arc::new(Completion::new());
                completion.answer(Ok(Arc::clone(token.set())));
                self.operation(completion, None)
            }
            None => self.start(self.token_request(Purpose::Token, min_validity_ms)),
        }
    }

    /// `POST /auth/api-key`, now. The token becomes this client's own.
    pub fn authenticate(&self) -> Result<Arc<Token>, Error> {
        self.cache.get(self.token_request(Purpose::Authenticate, 0))
    }

    /// [`ClientInner::authenticate`] without waiting: the answer comes to the operation.
    pub fn start_authenticate(&self) -> Operation {
        self.start(self.token_request(Purpose::Authenticate, 0))
    }

    /// `POST /auth/refresh`, now, with this client's refresh token. The token becomes this client's
    /// own.
    pub fn refresh(&self) -> Result<Arc<Token>, Error> {
        self.cache.get(self.token_request(Purpose::Refresh, 0))
    }

    /// [`ClientInner::refresh`] without waiting: the answer comes to the operation.
    pub fn start_refresh(&self) -> Operation {
        self.start(self.token_request(Purpose::Refresh, 0))
    }

    /// The API answered 401 to this token: the next call gets another, with the API key.
    pub fn invalidate(&self, rejected: &Token) -> Result<(), Error> {
        self.cache.invalidate(rejected.set())
    }

    /// Makes a request to the API, with a valid token, and waits for its end.
    ///
    /// `path` is what follows the base URL, query and all. A 401 of api.video's renews the token
    /// and sends once more; a 429 waits as it is told; a connection that was refused, or lost
    /// before the request was sent, is tried again, and GET, PUT, DELETE and HEAD also after a 502,
    /// a 503, a 504 or a lost reply: up to four times, or within the wait timeout with
    /// [`Config::set_wait_for_recovery`]. Redirects are not followed.
    ///
    /// A 4xx is [`Status::RequestRejected`], whose error has the problem.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        json: Option<&str>,
    ) -> Result<Arc<Response>, Error> {
        self.requests.make(Checked::new(method, path, json)?)
    }

    /// [`ClientInner::request`] without waiting: the answer comes to the operation. An error if it
    /// is none that can be sent.
    pub fn start_request(
        &self,
        method: &str,
        path: &str,
        json: Option<&str>,
    ) -> Result<Operation<PendingRequest>, Error> {
        let task = self.requests.start(Checked::new(method, path, json)?);
        Ok(Operation {
            call: PendingRequest { task },
        })
    }

    /// Sends a file as the source of a video, which was made with `POST /videos`, and waits for the
    /// end: for as long as it takes. The answer is api.video's with the video, in JSON.
    pub fn upload_file(&self, video_id: &str, path: &str) -> Result<Arc<Response>, Error> {
        let mut upload = self.new_upload();
        upload.set_video_id(video_id)?;
        upload.set_file(path)?;
        upload.start()?;
        upload
            .wait(Duration::MAX)
            .unwrap_or_else(|| Err(upload::closed()))
    }

    /// An upload, to be given its settings and started.
    pub fn new_upload(&self) -> Upload {
        Upload::new(&self.uploads)
    }

    /// The counters, and what is going on now.
    pub fn statistics(&self) -> Statistics {
        self.cache.statistics()
    }

    fn read_valid_for(&self, min_validity_ms: u64) -> Option<Arc<Token>> {
        let token = self.read()?;
        let valid = min_validity_ms == 0
            || token.set().usable_for_ms(self.cache.now()) >= millis(min_validity_ms);
        valid.then_some(token)
    }

    fn start(&self, request: TokenRequest) -> Operation {
        let completion = Arc::new(Completion::new());
        let request = TokenRequest {
            needs_timer: true,
            ..request
        };
        let id = self.cache.start(request, &completion);
        self.operation(completion, id)
    }

    fn operation(&self, completion: Arc<Completion>, id: Option<WaiterId>) -> Operation {
        Operation {
            call: PendingCall {
                cache: Arc::downgrade(&self.cache),
                clock: Arc::clone(self.cache.clock()),
                completion,
                id,
            },
        }
    }

    fn token_request(&self, purpose: Purpose, min_validity_ms: u64) -> TokenRequest {
        let wait_for_recovery = self.wait_for_recovery && purpose == Purpose::Token;
        TokenRequest {
            purpose,
            min_validity_ms: millis(min_validity_ms),
            deadline_ms: self.cache.now().mono_ms + i64::from(self.wait_timeout_ms),
            wait_for_recovery,
            // Who waits for recovery is to be woken for the next try, not just at its deadline.
            needs_timer: wait_for_recovery,
        }
    }
}

/// A call under way: for a token, or, as `Operation<PendingRequest>`, for a response. Dropping it
/// cancels it; the exchange for a token that it waits for goes on for others.
///
/// It keeps nothing of its client: once that is dropped, and an exchange under way is over, the key
/// is gone from memory.
pub struct Operation<P: Pending = PendingCall> {
    call: P,
}

/// What an operation waits for.
pub trait Pending {
    /// Ends the waiting, unless the answer is there already.
    fn end(&self);
}

impl<P: Pending + Clone> Operation<P> {
    /// What calls need, to use while a callback may free the operation itself.
    #[cfg(feature = "capi")]
    pub(crate) fn call(&self) -> P {
        self.call.clone()
    }
}

impl<P: Pending> Deref for Operation<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.call
    }
}

impl<P: Pending> Drop for Operation<P> {
    fn drop(&mut self) {
        self.call.end();
    }
}

/// What an operation for a token does. A clone may be used while a callback frees the operation
/// itself.
#[derive(Clone)]
pub struct PendingCall {
    cache: Weak<TokenCache>,
    clock: Arc<dyn Clock>,
    completion: Arc<Completion>,
    id: Option<WaiterId>,
}

impl PendingCall {
    /// The answer, if it comes within `timeout`.
    pub fn wait(&self, timeout: Duration) -> Option<Result<Arc<Token>, Error>> {
        match self.cache.upgrade() {
            Some(cache) => cache.wait_for_operation(&self.completion, timeout),
            // The client is gone, and has answered.
            None => {
                let answer = self.completion.wait(timeout)?;
                Some(answer.map(|set| Arc::new(Token::new(set, Arc::clone(&self.clock)))))
            }
        }
    }

    /// Calls `callback` once when the answer is there, on whatever thread brings it: on this one,
    /// before this returns, if it is there already.
    pub fn on_complete(&self, callback: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        self.completion.on_answer(Box::new(callback))
    }

    /// Ends the waiting with [`Status::Cancelled`], unless the answer is there already.
    pub fn cancel(&self) {
        if !self.completion.is_ours() {
            // In a forked child that number may be another waiter's.
            return;
        }
        if let (Some(id), Some(cache)) = (self.id, self.cache.upgrade()) {
            cache.cancel(id);
        }
        self.completion.answer(Err(cancelled()));
    }
}

impl Pending for PendingCall {
    fn end(&self) {
        self.cancel();
    }
}

/// What an operation for a response does. A clone may be used while a callback frees the operation
/// itself.
#[derive(Clone)]
pub struct PendingRequest {
    task: Arc<Task>,
}

impl PendingRequest {
    /// The answer, if it comes within `timeout`.
    pub fn wait(&self, timeout: Duration) -> Option<Result<Arc<Response>, Error>> {
        self.task.wait(timeout)
    }

    /// Calls `callback` once when the answer is there, as [`PendingCall::on_complete`] does.
    pub fn on_complete(&self, callback: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        self.task.on_answer(callback)
    }

    /// Ends the request with [`Status::Cancelled`], unless it has ended already. Its connection is
    /// closed, so that nothing more of it is sent.
    pub fn cancel(&self) {
        self.task.end(cancelled());
    }
}

impl Pending for PendingRequest {
    fn end(&self) {
        self.cancel();
    }
}

fn cancelled() -> Error {
    Error::new(Status::Cancelled, "The operation was cancelled.")
}

fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_a_key_is_told_why_the_environment_s_does_not_count() {
        assert!(no_key(false).ends_with("nor APIVIDEO_API_KEY of the environment is set."));
        assert!(no_key(true).ends_with("since the program has more rights than its user."));
    }
}
