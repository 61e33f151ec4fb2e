//! Codes of everything that can go wrong, each with a side, a retry hint and a document.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Whose doing it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Gateway,
    Upstream,
}

impl Side {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Upstream => "upstream",
        }
    }
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    Never,
    /// The same request may succeed at once.
    Same,
    /// The same request may succeed after a while.
    Later,
}

impl Retry {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Same => "same",
            Self::Later => "later",
        }
    }
}

macro_rules! codes {
    ($($name:ident = $text:ident, $side:ident, $retry:ident, $short:literal;)+) => {
        /// A stable code of a refusal or failure. `toolcrib explain CODE` prints its document.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $short] $name,)+
        }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the code as people quote it, `TC0203`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($text),)+ }
            }

            #[must_use]
            pub const fn side(self) -> Side {
                match self { $(Self::$name => Side::$side,)+ }
            }

            #[must_use]
            pub const fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry,)+ }
            }

            /// Returns the one-line meaning.
            #[must_use]
            pub const fn short(self) -> &'static str {
                match self { $(Self::$name => $short,)+ }
            }

            /// Returns the Markdown document: cause and remedies.
            #[must_use]
            pub const fn document(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("../../../docs/errors/", stringify!($text), ".md")),)+ }
            }
        }
    };
}

codes! {
    ConfigInvalid = TC0101, Client, Never, "the configuration is not valid";
    ConfigUnreadable = TC0102, Client, Never, "the configuration file cannot be read";
    ListenRefused = TC0103, Gateway, Never, "the gateway cannot listen on the address";
    BindNeedsKeys = TC0104, Client, Never, "listening beyond loopback needs authentication";
    ClientFileBroken = TC0110, Client, Never, "a client's file cannot be read or changed safely";
    ClientFileRefused = TC0111, Client, Never, "a client's file, or our own configuration, may not be written";
    ClientFileChanged = TC0112, Client, Never, "a client's file has changed since";
    ClientMissing = TC0113, Client, Never, "the client is not installed here";
    ConsentNeeded = TC0114, Client, Never, "nobody agreed to the change";
    ServerUnreachable = TC0201, Upstream, Later, "the server cannot be reached";
    SpawnFailed = TC0202, Upstream, Never, "the server's command cannot be started";
    StartFailed = TC0203, Upstream, Later, "the server stopped or stayed silent while starting";
    ServerGone = TC0204, Upstream, Later, "the server stopped in the middle of the call";
    DeadlineExceeded = TC0205, Upstream, Later, "the call ran out of time";
    MessageTooLarge = TC0206, Upstream, Never, "the server sent a message larger than the limit";
    ProtocolBroken = TC0207, Upstream, Never, "the server sent something that is not the protocol";
    UpstreamUnauthorized = TC0208, Upstream, Never, "the server refused the gateway's credentials";
    UpstreamStatus = TC0209, Upstream, Later, "the server answered with an unexpected HTTP status";
    InputLost = TC0210, Client, Never, "the answer came too late, twice, or for another call";
    InputImpossible = TC0211, Client, Never, "the server asks for something the client cannot answer";
    ServerStopped = TC0212, Client, Never, "somebody stopped the server";
    Unauthenticated = TC0301, Client, Never, "no valid API key";
    SecretMissing = TC0302, Client, Never, "a secret that a server needs has no value";
    Forbidden = TC0303, Client, Never, "the key may not use this";
    SecretsUnusable = TC0304, Client, Never, "secrets cannot be read or kept";
    UnknownTarget = TC0310, Client, Never, "no such tool, prompt or resource";
    ArgumentsInvalid = TC0311, Client, Never, "the arguments do not fit the tool's schema";
    CursorInvalid = TC0312, Client, Never, "the cursor is not one this gateway gave to this caller";
    SessionUnknown = TC0313, Client, Never, "the session does not exist or has ended";
    OriginRefused = TC0314, Client, Never, "the Host or Origin is not allowed";
    TooBusy = TC0401, Gateway, Later, "a limit of the gateway is reached";
    BodyTooLarge = TC0402, Client, Never, "the request is larger than the limit";
    ReplicaUnreachable = TC0403, Gateway, Later, "another replica of the gateway cannot be reached";
    RegistryUnreachable = TC0440, Upstream, Later, "a registry of servers cannot be asked";
    RegistryBroken = TC0441, Upstream, Never, "a registry of servers answers with something that is not its protocol";
    RegistryRefused = TC0442, Client, Never, "a registry of servers refuses these credentials";
    RegistryInvalid = TC0443, Client, Never, "there is no such registry of servers, or it cannot be one";
    RegistriesUnusable = TC0444, Client, Never, "the list of registries cannot be read or kept";
    ServerUnlisted = TC0445, Client, Never, "no registry lists this server or version";
    ServerUnsupported = TC0446, Client, Never, "nothing that is listed for the server can be run here";
    InputMissing = TC0447, Client, Never, "the server has to be told something first";
    InputInvalid = TC0448, Client, Never, "a value is not one that the server takes";
    RecordingUnusable = TC0460, Client, Never, "the recording cannot be written or read";
    RecordingInvalid = TC0461, Client, Never, "the file is no recording";
    ReplayDiffers = TC0462, Upstream, Never, "the server answers otherwise than when it was recorded";
    LintFound = TC0463, Upstream, Never, "the definitions have faults";
    LoadRefused = TC0464, Client, Never, "the load test is not one that may be run";
    GradeUnusable = TC0465, Client, Never, "grades cannot be kept or read";
    ProjectNameRefused = TC0480, Client, Never, "the project cannot have this name";
    ProjectFolderTaken = TC0481, Client, Never, "the folder of the project has something in it";
    ProjectUnwritable = TC0482, Client, Never, "the project cannot be written";
    Internal = TC0501, Gateway, Later, "a fault of the gateway itself";
    SourceInvalid = TC0502, Client, Never, "what is to be run is not a package, a URL or a command";
    PackageMissing = TC0503, Client, Never, "no such package or version";
    PullFailed = TC0504, Gateway, Later, "the package cannot be downloaded or installed";
    PackageUnverified = TC0505, Upstream, Never, "the package is not what its registry or the lockfile says it is";
    PackageRefused = TC0506, Client, Never, "the policy refuses this package";
    RuntimeMissing = TC0507, Client, Never, "the program that runs the package is not there";
    LockInvalid = TC0508, Client, Never, "the lockfile cannot be read or written";
    SandboxFailed = TC0509, Gateway, Never, "the sandbox cannot be set up";
    AuditUnusable = TC0601, Client, Never, "the audit log cannot be written";
    ToolHeld = TC0602, Client, Never, "the tool is held back until somebody approves it";
    PinsUnusable = TC0603, Client, Never, "what is known of tools cannot be read or kept";
    AnswerHeld = TC0605, Upstream, Never, "the answer was held back because its text speaks to the model";
    AuditBroken = TC0604, Client, Never, "the audit log does not hold together";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal or failure on this side of an upstream: what happened, in words for people, with its code.
#[derive(Clone, Debug)]
pub struct Fault(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Fault {
    /// `message` names what and where, user values in backticks: "`sqlite` stopped 0.9s after it was started".
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner { code, message: message.into(), causes: Vec::new(), hint: None }))
    }

    #[must_use]
    pub fn because(self, cause: impl fmt::Display) -> Self {
        let cause = cause.to_string();
        self.change(|inner| inner.causes.push(cause))
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.change(|inner| inner.hint = Some(hint))
    }

    fn change(self, edit: impl FnOnce(&mut Inner)) -> Self {
        let mut inner =
            Inner { code: self.0.code, message: self.0.message.clone(), causes: self.0.causes.clone(), hint: self.0.hint.clone() };
        edit(&mut inner);
        Self(Arc::new(inner))
    }

    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    #[must_use]
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for cause in &self.0.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
