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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSpec;

    struct Asked {
        slug: Slug,
        exposed: &'static str,
        validator: Option<Validator>,
        arguments: Json,
    }

    impl Ask for Asked {
        fn slug(&self) -> &Slug {
            &self.slug
        }

        fn kind(&self) -> Kind {
            Kind::Tool
        }

        fn name(&self) -> &str {
            "add"
        }

        fn exposed(&self) -> &str {
            self.exposed
        }

        fn arguments(&self) -> Option<(&Validator, Option<&Json>)> {
            Some((self.validator.as_ref()?, Some(&self.arguments)))
        }
    }

    fn asked(schema: Option<&'static str>, arguments: &'static str) -> Asked {
        Asked {
            slug: Slug::parse("demo").unwrap(),
            exposed: "demo__add",
            validator: schema.map(|schema| Validator::compile(&Json::from_static(schema)).unwrap()),
            arguments: Json::from_static(arguments),
        }
    }

    fn deny(pattern: &str) -> RuleSet {
        RuleSet::build(&[&RuleSpec { allow: Vec::new(), deny: vec![pattern.to_owned()] }]).unwrap()
    }

    fn ask(rules: &RuleSet, asked: Asked) -> Result<Permit<Asked>, Refusal> {
        authorize(rules, &Arc::new(Principal::anonymous()), asked)
    }

    const SCHEMA: &str = r#"{"type":"object","properties":{"a":{"type":"number"}},"required":["a","b"]}"#;

    #[test]
    fn what_is_allowed_and_fits_gets_a_permit() {
        let permit = ask(&deny("other.*"), asked(Some(SCHEMA), r#"{"a":1,"b":2}"#)).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert_eq!(&*permit.principal().name, "anonymous");
        assert_eq!(permit.into_inner().exposed, "demo__add");
    }

    #[test]
    fn a_forbidden_tool_is_answered_like_one_that_does_not_exist() {
        let refusal = ask(&deny("demo.add"), asked(Some(SCHEMA), "{}")).err().unwrap();
        assert_eq!(refusal.code(), Code::Forbidden);
        let (shown, unknown) = (refusal.shown(), unknown(Kind::Tool, "demo__add"));
        assert_eq!((shown.code(), shown.to_string(), shown.remedy()), (unknown.code(), unknown.to_string(), unknown.remedy()));
    }

    #[test]
    fn arguments_that_do_not_fit_are_told_one_by_one() {
        let refusal = ask(&deny("other.*"), asked(Some(SCHEMA), r#"{"a":"x"}"#)).err().unwrap();
        let shown = refusal.shown();
        assert_eq!(shown.message(), "arguments for `demo__add` are not valid");
        assert_eq!(shown.causes(), ["a: expected number, got \"x\"", "b: required, missing"]);
    }
}
