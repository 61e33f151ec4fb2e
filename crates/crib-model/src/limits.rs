//! The limits of one instance. Each says what happens when it is reached.

use std::time::Duration;

/// Largest request body a front reads; beyond it HTTP 413.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest line or SSE event read from an upstream; beyond it the call fails with TC0206.
pub const UPSTREAM_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a call may take when neither client nor configuration says; then TC0205.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a client, and the person before it, may take to answer one question; then the call is given up.
pub const INPUT_TIMEOUT: Duration = Duration::from_secs(600);
/// How many calls may wait for a person at once, per upstream; beyond it TC0401.
pub const PARKED_MAX: usize = 1024;
/// How many times one call may ask the client; beyond it TC0210.
pub const INPUT_ROUNDS_MAX: usize = 16;
/// How long a legacy session lives without a request; then HTTP 404.
pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
/// Legacy sessions of one instance; beyond it HTTP 503 with `Retry-After`.
pub const SESSIONS_MAX: usize = 20_000;
/// Messages kept for a legacy client that lost its stream; the oldest go first.
pub const REPLAY_MESSAGES_MAX: usize = 256;
/// Messages waiting for a slow reader of one stream; beyond it the stream is closed.
pub const STREAM_QUEUE_MAX: usize = 256;
/// Entries of one page of a list when the client gives no cursor.
pub const PAGE_SIZE: usize = 1000;
/// Pages read from one upstream for one list; beyond it the list is cut and the fact logged.
pub const PAGES_MAX: usize = 10_000;
/// Messages in one 2025-03-26 batch; beyond it `-32600`.
pub const BATCH_MAX: usize = 100;
/// Capability views of the catalogue kept at once; the least recently used goes first.
pub const VIEWS_MAX: usize = 64;
/// Processes of one interactive stdio server; beyond it callers wait, then TC0401.
pub const PROCESSES_MAX: usize = 16;
/// How long a process for a client that can be asked lives without a call; then it is stopped until the next one.
pub const PROCESS_IDLE: Duration = Duration::from_secs(5 * 60);
/// How long a server may take to start and answer its first request; then TC0203.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a process gets to exit after its input was closed, and again after SIGTERM.
pub const STOP_GRACE: Duration = Duration::from_secs(2);
/// How long an era verdict is believed before the server is probed again.
pub const ERA_TTL: Duration = Duration::from_secs(10 * 60);
/// Silence on a stream after which a comment line keeps it open.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
