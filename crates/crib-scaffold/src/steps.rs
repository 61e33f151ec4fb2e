//! What to do with a project that was just made.

use crate::{Language, Project};

/// What is on this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// `uv` takes the place of `venv` and `pip`.
    pub has_uv: bool,
    /// Virtual environments are laid out as on Windows.
    pub is_windows: bool,
}

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    Install,
    Test,
    Run,
    Inspect,
    Call,
}

/// A command worth typing next, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    pub command: String,
}

impl StepKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Test => "test",
            Self::Run => "run",
            Self::Inspect => "inspect",
            Self::Call => "call",
        }
    }
}

impl Project {
    /// Returns the next commands, in order. `place` is the folder as it is typed, with what a shell needs around it.
    #[must_use]
    pub fn steps(&self, place: &str, tools: Tools) -> Vec<Step> {
        let (install, test) = match (self.language, tools) {
            (Language::Rust, _) => ("cargo build --release", "cargo test"),
            (Language::TypeScript, _) => ("npm install", "npm test"),
            (Language::Python, Tools { has_uv: true, .. }) => ("uv sync", "uv run python -m unittest discover tests"),
            (Language::Python, Tools { is_windows: true, .. }) => {
                (r"py -m venv .venv && .venv\Scripts\pip install -e .", r".venv\Scripts\python -m unittest discover tests")
            }
            (Language::Python, _) => ("python3 -m venv .venv && .venv/bin/pip install -e .", ".venv/bin/python -m unittest discover tests"),
        };
        let step = |kind, command| Step { kind, command };
        vec![
            step(StepKind::Install, format!("cd {place} && {install}")),
            // Typed in the folder the step before has gone to.
            step(StepKind::Test, test.to_owned()),
            step(StepKind::Run, "toolcrib run .".to_owned()),
            step(StepKind::Inspect, "toolcrib inspect .".to_owned()),
            step(StepKind::Call, format!("toolcrib call {}.count_words text=\"a rose is a rose\"", self.name.short())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    fn install(language: Language, tools: Tools) -> String {
        let project = Project::new(Name::parse("weather", language).unwrap(), language);
        project.steps("./weather", tools).remove(0).command
    }

    #[test]
    fn every_language_is_installed_with_its_own_tools() {
        let plain = Tools::default();
        assert_eq!(install(Language::Rust, plain), "cd ./weather && cargo build --release");
        assert_eq!(install(Language::TypeScript, plain), "cd ./weather && npm install");
        assert_eq!(install(Language::Python, plain), "cd ./weather && python3 -m venv .venv && .venv/bin/pip install -e .");
        assert_eq!(install(Language::Python, Tools { has_uv: true, ..plain }), "cd ./weather && uv sync");
        assert!(install(Language::Python, Tools { is_windows: true, ..plain }).contains(r".venv\Scripts\pip"));
    }
}
