//! The permit: proof that rules and arguments of one call were looked at.

use std::sync::Arc;

use crib_mcp::Json;
use crib_model::{Code, Fault, Principal, Slug};

use crate::rules::{Kind, RuleSet};
use crate::validate::{Problem, Validator};

/// Something that is asked for: what [`authorize`] must know of it.
pub trait Ask {
    fn slug(&self) -> &Slug;
    fn kind(&self) -> Kind;
    /// The upstream's own name or URI.
    fn name(&self) -> &str;
    /// The name or URI the client used.
    fn exposed(&self) -> &str;

    /// Returns what to check the arguments with, and the arguments.
    fn arguments(&self) -> Option<(&Validator, Option<&Json>)> {
        None
    }
}

/// An authorised call. Only [`authorize`] makes one.
#[derive(Debug)]
pub struct Permit<T> {
    inner: T,
    principal: Arc<Principal>,
}

impl<T> Permit<T> {
    #[must_use]
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    #[must_use]
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// Uses the permit up.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.inner
    }
}

/// Why a call is not authorised.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The rules say no. Callers are told that there is no such thing: see [`Refusal::shown`].
    Forbidden { kind: Kind, exposed: Box<str> },
    /// The arguments do not fit the schema.
    Arguments { exposed: Box<str>, problems: Vec<Problem> },
}

/// Decides whether a principal may do what it asks for, and checks the arguments.
///
/// # Errors
/// The rules do not allow it, or the arguments do not fit.
pub fn authorize<T: Ask>(rules: &RuleSet, principal: &Arc<Principal>, asked: T) -> Result<Permit<T>, Refusal> {
    if !rules.allows(asked.slug(), asked.kind(), asked.name()) {
        return Err(Refusal::Forbidden { kind: asked.kind(), exposed: asked.exposed().into() });
    }
    let problems = match asked.arguments() {
        Some((validator, arguments)) => validator.check(arguments).err(),
        None => None,
    };
    match problems {
        Some(problems) => Err(Refusal::Arguments { exposed: asked.exposed().into(), problems }),
        None => Ok(Permit { inner: asked, principal: Arc::clone(principal) }),
    }
}

/// Returns the fault for something that does not exist.
#[must_use]
pub fn unknown(kind: Kind, exposed: &str) -> Fault {
    Fault::new(Code::UnknownTarget, format!("{kind} `{exposed}` does not exist"))
}

// === impl Refusal ===

impl Refusal {
    /// Returns the code for the record.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Forbidden { .. } => Code::Forbidden,
            Self::Arguments { .. } => Code::ArgumentsInvalid,
        }
    }

    /// Returns what the caller is told. What it may not use does not exist for it.
    #[must_use]
    pub fn shown(&self) -> Fault {
        match self {
            Self::Forbidden { kind, exposed } => unknown(*kind, exposed),
            Self::Arguments { exposed, problems } => problems
                .iter()
                .fold(Fault::new(Code::ArgumentsInvalid, format!("arguments for `{exposed}` are not valid")), |fault, problem| {
                    fault.because(problem)
                }),
        }
    }
}
