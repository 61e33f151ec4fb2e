//! The modes: load for a while, the first call, many sessions, one answer kept.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::json;

use crate::Options;
use crate::call::Client;

struct Stats {
    ok: u64,
    errors: u64,
    bytes_in: u64,
    samples: Vec<String>,
    /// Units of 100 ns, up to 100 s.
    times: Histogram<u64>,
}

impl Stats {
    fn fail(&mut self, error: String) {
        self.errors += 1;
        if self.samples.len() < 5 {
            self.samples.push(error);
        }
    }
}

/// Loads the endpoint and prints what was counted.
pub(crate) async fn load(options: Rc<Options>) -> bool {
    let times = match Histogram::new_with_bounds(1, 1_000_000_000, 3) {
        Ok(times) => times,
        Err(error) => return print(&json!({"error": error.to_string()}), false),
    };
    let stats = Rc::new(RefCell::new(Stats { ok: 0, errors: 0, bytes_in: 0, samples: Vec::new(), times }));
    let start = Instant::now();
    if options.has_marks {
        let marks = [(options.warmup, "start"), (options.warmup + options.duration, "end")];
        tokio::task::spawn_local(async move {
            for (at, mark) in marks {
                tokio::time::sleep_until((start + Duration::from_secs_f64(at)).into()).await;
                eprintln!("MARK {mark}");
            }
        });
    }
    let workers: Vec<_> =
        (0..options.conns).map(|i| tokio::task::spawn_local(work(Rc::clone(&options), i, start, Rc::clone(&stats)))).collect();
    for worker in workers {
        let _ = worker.await;
    }
    // The end mark is due at the same moment as the end of the last worker.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let stats = stats.borrow();
    let at = |quantile: f64| stats.times.value_at_quantile(quantile) as f64 / 10.0;
    let out = json!({
        "conns": options.conns, "ok": stats.ok, "errors": stats.errors, "seconds": options.duration,
        "rps": stats.ok as f64 / options.duration,
        "p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99), "p999_us": at(0.999),
        "bytes_in": stats.bytes_in, "samples": stats.samples,
    });
    print(&out, true)
}

async fn work(options: Rc<Options>, index: usize, start: Instant, stats: Rc<RefCell<Stats>>) {
    let from = start + Duration::from_secs_f64(options.warmup);
    let until = from + Duration::from_secs_f64(options.duration);
    let gap = (options.rate > 0.0).then(|| Duration::from_secs_f64(options.conns as f64 / options.rate));
    let mut due = start + gap.map_or(Duration::ZERO, |gap| gap.mul_f64(index as f64 / options.conns as f64));
    let mut client = None;
    while Instant::now() < until {
        let open = match client.take() {
            Some(open) => Ok(open),
            None => within(&options, Client::open(&options)).await,
        };
        let mut open = match open {
            Ok(open) => open,
            Err(error) => {
                stats.borrow_mut().fail(error);
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let began = match gap {
            None => Instant::now(),
            Some(gap) => {
                let began = due;
                tokio::time::sleep_until(began.into()).await;
                due += gap;
                began
            }
        };
        let outcome = within(&options, open.call()).await;
        let ended = Instant::now();
        let mut stats = stats.borrow_mut();
        stats.bytes_in += std::mem::take(&mut open.socket.bytes_in);
        match outcome {
            Err(error) => stats.fail(error),
            Ok(()) => {
                client = Some(open);
                if ended >= from && ended < until {
                    stats.ok += 1;
                    stats.times.saturating_record((ended - began).as_nanos() as u64 / 100);
                }
            }
        }
    }
}

async fn within<T>(options: &Options, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let limit = Duration::from_secs_f64(options.timeout);
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err("timed out".into()))
}

/// Tries until one call is answered and prints when, on the clock all processes share.
pub(crate) async fn first_call(options: &Rc<Options>) -> bool {
    let until = Instant::now() + Duration::from_secs_f64(options.duration);
    let mut last = String::from("no time");
    while Instant::now() < until {
        let attempt = async { Client::open(options).await?.call().await };
        match within(options, attempt).await {
            Ok(()) => {
                let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
                return print(&json!({"first_call_ns": now.tv_sec * 1_000_000_000 + now.tv_nsec}), true);
            }
            Err(error) => last = error,
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    print(&json!({"error": last}), false)
}

/// Opens sessions, makes one call in each, and leaves them.
pub(crate) async fn open_sessions(options: &Rc<Options>) -> bool {
    let (mut ok, mut sample) = (0, String::new());
    let mut ids = HashSet::new();
    for _ in 0..options.open_sessions {
        let one = async {
            let mut client = Client::open(options).await?;
            client.call().await?;
            Ok(client.session)
        };
        match within(options, one).await {
            Ok(session) => {
                ok += 1;
                ids.extend(session);
            }
            Err(error) => sample = error,
        }
    }
    let errors = options.open_sessions - ok;
    print(&json!({"sessions_ok": ok, "errors": errors, "distinct_ids": ids.len(), "sample": sample}), errors == 0)
}

/// Makes one call and writes its answer to a file.
pub(crate) async fn save(options: &Rc<Options>) -> bool {
    let saved = async {
        let mut client = Client::open(options).await?;
        client.call().await?;
        let file = options.save.as_deref().unwrap_or_default();
        std::fs::write(file, &client.body).map_err(|e| format!("{file}: {e}"))?;
        Ok(client.body.len())
    };
    match within(options, saved).await {
        Ok(bytes) => print(&json!({"bytes": bytes}), true),
        Err(error) => print(&json!({"error": error}), false),
    }
}

fn print(value: &serde_json::Value, is_good: bool) -> bool {
    println!("{value}");
    is_good
}
