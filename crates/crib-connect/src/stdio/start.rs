//! The first start of a command whose era is not known: asked in a way that harms no one.
//!
//! A modern server answers `server/discover`. A legacy one answers with some error, stays silent, or exits: then it is
//! started again without the question, and not asked again for a while.

use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{ClientCaps, Method, Payload, RpcError};
use crib_model::Fault;

use super::Stdio;
use super::process::Process;
use crate::era::{Told, own_params, read_probe};
use crate::session::legacy::{Session, initialize_params, refused, silent};
use crate::session::link::{Wants, closed};

/// How long silence is taken for work. After that the handshake is tried beside the question.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) enum Started {
    Modern(Arc<Process>),
    Legacy(Arc<Session>),
}

enum Probed {
    Modern,
    Legacy(Arc<Session>),
    /// It exited, perhaps because of the question.
    Exited,
}

type Answer = Result<Result<Payload, RpcError>, Fault>;

pub(super) async fn start(stdio: &Stdio, caps: &ClientCaps) -> Result<Started, Fault> {
    if stdio.verdict.may_probe() {
        let process = spawn(stdio, caps)?;
        let probed = tokio::time::timeout(stdio.options.start_timeout, probe(stdio, &process, caps)).await;
        match probed.unwrap_or_else(|_| Err(silent(&stdio.options.slug, stdio.options.start_timeout))) {
            Ok(Probed::Modern) => return Ok(Started::Modern(process)),
            Ok(Probed::Legacy(session)) => return Ok(Started::Legacy(session)),
            // Not because of the question, as its last words show.
            Ok(Probed::Exited) if process.is_hopeless() => return Err(process.start_fault(closed(&stdio.options.slug)).await),
            Ok(Probed::Exited) => {}
            Err(fault) => return Err(process.start_fault(fault).await),
        }
    }
    let process = spawn(stdio, caps)?;
    match Session::open(Arc::clone(process.link()), caps, &stdio.memory, stdio.options.start_timeout).await {
        Ok(session) => {
            stdio.verdict.spare();
            Ok(Started::Legacy(session))
        }
        Err(fault) => Err(process.start_fault(fault).await),
    }
}

fn spawn(stdio: &Stdio, caps: &ClientCaps) -> Result<Arc<Process>, Fault> {
    Process::spawn(&stdio.command, &stdio.options, caps, &stdio.shared.tracker)
}

async fn probe(stdio: &Stdio, process: &Process, caps: &ClientCaps) -> Result<Probed, Fault> {
    let link = process.link();
    let asked = link.begin(link.next_id(), &Method::Discover, &own_params(), Wants::default())?;
    let mut discovered = Box::pin(asked.answer());
    let first = tokio::time::timeout(PATIENCE, &mut discovered).await;
    if let Ok(answer) = first {
        return match judge(stdio, answer)? {
            Some(probed) => Ok(probed),
            None => greet(stdio, process, caps).await,
        };
    }
    // A slow modern server answers the first question first; a silent legacy one answers the second.
    let greeting = link.begin(link.next_id(), &Method::Initialize, &initialize_params(caps), Wants::default())?;
    let mut greeted = Box::pin(greeting.answer());
    tokio::select! {
        biased;
        answer = &mut discovered => match judge(stdio, answer)? {
            Some(probed) => Ok(probed),
            None => welcome(stdio, process, greeted.await).await,
        },
        answer = &mut greeted => welcome(stdio, process, answer).await,
    }
}

/// Reads the answer to the question; `None` means that the server is legacy and there.
fn judge(stdio: &Stdio, answer: Answer) -> Result<Option<Probed>, Fault> {
    match answer {
        Err(_gone) => Ok(Some(Probed::Exited)),
        Ok(answer) => match read_probe(&stdio.options.slug, &answer) {
            Told::Modern => Ok(Some(Probed::Modern)),
            Told::Legacy => Ok(None),
            Told::Stranger(fault) => Err(fault),
        },
    }
}

async fn greet(stdio: &Stdio, process: &Process, caps: &ClientCaps) -> Result<Probed, Fault> {
    let link = process.link();
    // It may have answered the question and exited all the same.
    let Ok(greeting) = link.begin(link.next_id(), &Method::Initialize, &initialize_params(caps), Wants::default()) else {
        return Ok(Probed::Exited);
    };
    welcome(stdio, process, greeting.answer().await).await
}

async fn welcome(stdio: &Stdio, process: &Process, answer: Answer) -> Result<Probed, Fault> {
    match answer {
        Err(_gone) => Ok(Probed::Exited),
        Ok(Err(error)) => Err(refused(&stdio.options.slug, &error)),
        Ok(Ok(hello)) => Session::greet(Arc::clone(process.link()), hello, &stdio.memory).await.map(Probed::Legacy),
    }
}
