//! How a command fails: what, why, what to do, and the exit status.

use std::process::ExitCode;

use crib_control::Problem;
use crib_model::{Code, Fault};
use serde::Serialize;

use crate::tongue::said;

/// The exit statuses. They are part of the interface: scripts branch on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something nobody foresaw.
    Unexpected = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A key, a secret or consent is missing.
    Authentication = 3,
    /// A server cannot be reached, did not start, or ran out of time.
    Unreachable = 4,
    /// The tool failed, does not exist, or does not take these arguments.
    Tool = 5,
    /// Refused by a rule, a budget or a limit.
    Refused = 6,
    /// Some of what was asked for was done, some was not.
    Partial = 7,
    /// A check found something.
    Check = 8,
    /// The user pressed Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    fn of(code: Code) -> Self {
        match code {
            Code::ConfigInvalid
            | Code::ConfigUnreadable
            | Code::ListenRefused
            | Code::BindNeedsKeys
            | Code::AuditUnusable
            | Code::ClientFileBroken
            | Code::ClientFileRefused
            | Code::ClientMissing
            | Code::SourceInvalid
            | Code::LockInvalid
            | Code::ProjectNameRefused
            | Code::ProjectFolderTaken
            | Code::ProjectUnwritable
            | Code::RecordingUnusable
            | Code::RecordingInvalid
            | Code::LoadRefused
            | Code::GradeUnusable
            | Code::RegistryInvalid
            | Code::RegistriesUnusable
            | Code::ServerUnsupported
            | Code::InputMissing
            | Code::InputInvalid
            | Code::PinsUnusable => Self::Usage,
            Code::ServerUnreachable
            | Code::SpawnFailed
            | Code::StartFailed
            | Code::ServerGone
            | Code::DeadlineExceeded
            | Code::MessageTooLarge
            | Code::ProtocolBroken
            | Code::UpstreamStatus
            | Code::SessionUnknown
            | Code::ServerStopped
            | Code::RegistryUnreachable
            | Code::RegistryBroken
            | Code::ServerUnlisted
            | Code::PackageMissing
            | Code::PullFailed
            | Code::RuntimeMissing
            | Code::SandboxFailed => Self::Unreachable,
            Code::UpstreamUnauthorized
            | Code::Unauthenticated
            | Code::SecretMissing
            | Code::SecretsUnusable
            | Code::ConsentNeeded
            | Code::RegistryRefused => Self::Authentication,
            Code::InputLost
            | Code::InputImpossible
            | Code::UnknownTarget
            | Code::ArgumentsInvalid
            | Code::CursorInvalid
            | Code::BodyTooLarge => Self::Tool,
            Code::Forbidden
            | Code::OriginRefused
            | Code::TooBusy
            | Code::ReplicaUnreachable
            | Code::ClientFileChanged
            | Code::PackageUnverified
            | Code::PackageRefused
            | Code::ToolHeld
            | Code::AnswerHeld => Self::Refused,
            Code::AuditBroken | Code::ReplayDiffers | Code::LintFound => Self::Check,
            Code::Internal => Self::Unexpected,
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Box<Story>);

#[derive(Clone, Debug)]
struct Story {
    exit: Exit,
    code: Option<Code>,
    /// The name of the failure for programs where there is no code.
    name: &'static str,
    message: String,
    /// The message with its place in one line.
    brief: Option<String>,
    /// Lines below the message: the place in a file, or what is wrong with each argument.
    detail: Vec<String>,
    causes: Vec<String>,
    hint: Option<String>,
    server: Option<String>,
    /// Nothing is said: the output said it all.
    is_silent: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, name: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Story {
            exit,
            code: None,
            name,
            message: message.into(),
            brief: None,
            detail: Vec::new(),
            causes: Vec::new(),
            hint: None,
            server: None,
            is_silent: false,
        }))
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    pub(crate) fn coded(code: Code, message: impl Into<String>) -> Self {
        let mut failure = Self::new(Exit::of(code), "", message);
        failure.0.code = Some(code);
        failure
    }

    /// A failure that was shown already, as data.
    pub(crate) fn shown(exit: Exit) -> Self {
        let mut failure = Self::new(exit, "", "");
        failure.0.is_silent = true;
        failure
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.0.causes.push(cause.into());
        self
    }

    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.0.detail.push(line.into());
        self
    }

    pub(crate) fn server(mut self, server: impl Into<String>) -> Self {
        self.0.server = Some(server.into());
        self
    }

    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// Returns the failure in one line, for the log.
    pub(crate) fn one_line(&self) -> String {
        let first = self.0.brief.as_ref().unwrap_or(&self.0.message);
        [Some(first), self.0.causes.first()].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ")
    }

    /// Returns what to do about it.
    pub(crate) fn remedy(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub(crate) fn code(&self) -> Option<Code> {
        self.0.code
    }

    pub(crate) fn causes(&self) -> &[String] {
        &self.0.causes
    }

    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.0.is_silent
    }

    /// The first problem in full and the others below it.
    pub(crate) fn problems(problems: &[Problem]) -> Self {
        let Some((first, others)) = problems.split_first() else { return Self::usage("the configuration is not valid") };
        let mut failure = Self::coded(first.code, first.message.clone());
        failure.0.brief = Some(first.summary());
        failure.0.detail.extend(first.place.as_ref().map(ToString::to_string));
        failure.0.hint.clone_from(&first.hint);
        for other in others {
            failure.0.detail.push(other.place.as_ref().map_or_else(|| other.message.clone(), ToString::to_string));
            failure.0.detail.extend(other.hint.as_ref().map(|hint| format!("  hint: {hint}")));
        }
        failure
    }

    /// Returns the one line for programs.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            code: String,
            message: &'a str,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            cause: Vec<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            hint: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            docs: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            server: Option<&'a str>,
        }
        // A place has a picture for people and a line for programs.
        let detail = self.0.detail.iter().filter(|_| self.0.brief.is_none());
        let body = Body {
            code: self.0.code.map_or_else(|| self.0.name.to_owned(), name),
            message: &self.0.message,
            cause: self.0.brief.iter().chain(&self.0.causes).chain(detail).map(|line| line.trim()).collect(),
            hint: self.0.hint.as_deref(),
            docs: self.0.code.map(|code| format!("toolcrib explain {code}")),
            server: self.0.server.as_deref(),
        };
        serde_json::to_string(&Envelope { error: body }).unwrap_or_default()
    }
}

/// Names a code for programs: `StartFailed` is `start_failed`.
pub(crate) fn name(code: Code) -> String {
    let mut out = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

impl Failure {
    /// Returns what stands in front of the message: `error[TC0203]`.
    pub(crate) fn label(&self) -> String {
        let error = said("error");
        self.0.code.map_or_else(|| error.clone().into_owned(), |code| format!("{error}[{code}]"))
    }

    /// Tells it to people, in their language: what, where, why, and what to do.
    pub(crate) fn told(&self) -> String {
        let mut lines = vec![self.headline()];
        lines.extend(self.0.detail.iter().map(|line| said(line).into_owned()));
        for cause in &self.0.causes {
            // Further lines of a cause stand below its first.
            lines.push(format!("  {}: {}", said("Caused by"), said(cause).replace('\n', "\n             ")));
        }
        if let Some(hint) = &self.0.hint {
            let gap = if self.0.causes.is_empty() { "" } else { "\n" };
            lines.push(format!("{gap}{}: {}", said("hint"), said(hint).replace('\n', "\n      ")));
        }
        lines.join("\n")
    }

    /// The message; where only English has words for it, its kind stands above it.
    fn headline(&self) -> String {
        let message = said(&self.0.message);
        match self.0.code {
            Some(code) if message == self.0.message => {
                let kind = said(code.short());
                if kind == code.short() { message.into_owned() } else { format!("{kind}\n  {message}") }
            }
            Some(_) | None => message.into_owned(),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let mut failure = Self::coded(fault.code(), fault.message());
        failure.0.causes = fault.causes().to_vec();
        failure.0.hint = fault.remedy().map(str::to_owned);
        failure
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Unexpected, "io", error.to_string())
    }
}
