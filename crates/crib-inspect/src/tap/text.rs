//! A message as a line of the log.

use crib_registry::pins::visible;

use super::seen::{Body, Direction, Seen, Verdict, millis};

/// Longest word of a line, so that a server cannot fill the screen with a name.
const WORD_CHARS_MAX: usize = 60;

/// Writes a message as one line, `   0.012s → tools/call echo  #3  84 B`.
#[must_use]
pub fn line(seen: &Seen) -> String {
    let arrow = match seen.direction {
        Direction::Out => "→",
        Direction::In => "←",
    };
    let mut parts = vec![format!("{:>8.3}s {arrow} {}", seen.at.as_secs_f64(), what(seen))];
    parts.extend(seen.id.as_deref().map(|id| format!("#{}", short(id))));
    parts.push(size(seen.bytes));
    parts.extend(seen.latency.map(|latency| format!("{:.1} ms", millis(latency))));
    parts.extend(outcome(seen));
    parts.join("  ")
}

/// Writes a message as a line and its whole body below it.
#[must_use]
pub fn lines(seen: &Seen) -> String {
    let mut out = line(seen);
    for (name, value) in &seen.headers {
        out.extend(["\n            ", name, ": ", &visible(value)]);
    }
    let body = match &seen.body {
        Body::Json(json) => json.read::<serde_json::Value>().and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_default(),
        Body::Text(text) => text.clone(),
    };
    for body_line in visible(&body).lines() {
        out.push_str("\n            ");
        out.push_str(body_line);
    }
    out
}

fn what(seen: &Seen) -> String {
    let method = seen.method.as_deref().map(short);
    let about = seen.about.as_deref().map(|about| format!(" {}", short(about))).unwrap_or_default();
    match (seen.verdict, method) {
        (Verdict::Noise, _) => match &seen.body {
            Body::Text(text) => format!("(not a message) {}", short(text)),
            Body::Json(json) => format!("(not a message) {}", short(json.as_str())),
        },
        (Verdict::Request | Verdict::Notification, Some(method)) => format!("{method}{about}"),
        (_, Some(method)) => format!("answer to {method}{about}"),
        (_, None) => "answer to nothing that was asked".to_owned(),
    }
}

fn outcome(seen: &Seen) -> Vec<String> {
    let word = match seen.verdict {
        Verdict::Request | Verdict::Notification | Verdict::Noise => None,
        Verdict::Ok => Some("ok".to_owned()),
        Verdict::ToolError => Some("tool error".to_owned()),
        Verdict::InputRequired => Some("input required".to_owned()),
        Verdict::Error(code) => Some(format!("error {code}")),
    };
    let status = seen.status.filter(|status| *status != 200).map(|status| format!("HTTP {status}"));
    word.into_iter().chain(status).collect()
}

fn size(bytes: usize) -> String {
    match u32::try_from(bytes) {
        Ok(bytes) if bytes < 10_000 => format!("{bytes} B"),
        Ok(bytes) if bytes < 10_000_000 => format!("{:.1} kB", f64::from(bytes) / 1000.0),
        Ok(bytes) => format!("{:.1} MB", f64::from(bytes) / 1_000_000.0),
        Err(_) => "too much".to_owned(),
    }
}

fn short(text: &str) -> String {
    let one_line: String = text.chars().take(WORD_CHARS_MAX + 1).collect();
    let one_line = visible(&one_line).replace('\n', " ");
    if one_line.chars().count() > WORD_CHARS_MAX {
        return one_line.chars().take(WORD_CHARS_MAX).chain(['…']).collect();
    }
    one_line
}
