//! The files of a project.

use crate::{Language, Name};

/// The version of rmcp a project in Rust begins with.
const RMCP: &str = "3.9";
/// The versions of what a project in TypeScript begins with.
const TYPESCRIPT: &[(&str, &str)] = &[("sdk", "2.4.0"), ("zod", "4.2.0"), ("node_types", "20.19.0"), ("typescript", "7.0.2")];
/// The version of mcp a project in Python begins with.
const MCP: &str = "2.3";

const DESCRIPTION: &str = "An MCP server that counts words";

macro_rules! template {
    ($folder:literal, [$($path:literal),+ $(,)?]) => {
        &[$(($path, include_str!(concat!("../templates/", $folder, "/", $path, ".in")))),+]
    };
}

const RUST: &[(&str, &str)] = template!(
    "rust",
    ["Cargo.toml", "README.md", "gitignore", "server.json", "src/main.rs", "src/server.rs", "src/words.rs", "tests/stdio.rs"]
);
const NODE: &[(&str, &str)] = template!(
    "typescript",
    [
        "README.md",
        "gitignore",
        "package.json",
        "server.json",
        "src/main.ts",
        "src/server.test.ts",
        "src/server.ts",
        "src/words.ts",
        "tsconfig.json"
    ]
);
const PYTHON: &[(&str, &str)] = template!(
    "python",
    [
        "README.md",
        "gitignore",
        "pyproject.toml",
        "server.json",
        "src/package/__init__.py",
        "src/package/server.py",
        "src/package/words.py",
        "tests/test_server.py",
    ]
);

/// A file of a project: its path, with `/` between folders, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub path: String,
    pub text: String,
}

/// A project that can be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub name: Name,
    pub language: Language,
    pub files: Vec<File>,
}

impl Project {
    #[must_use]
    pub fn new(name: Name, language: Language) -> Self {
        let templates = match language {
            Language::Rust => RUST,
            Language::TypeScript => NODE,
            Language::Python => PYTHON,
        };
        let values = values(&name);
        let files = templates.iter().map(|(path, text)| File { path: place(path, &name), text: fill(text, &values) }).collect();
        Self { name, language, files }
    }
}

fn values(name: &Name) -> Vec<(&'static str, String)> {
    let registry = format!("io.github.your-name/{}", name.short());
    let mut values = vec![
        ("name", name.to_string()),
        ("short", name.short().to_owned()),
        ("package", name.module()),
        ("registry", registry),
        ("description", DESCRIPTION.to_owned()),
        ("rmcp", RMCP.to_owned()),
        ("mcp", MCP.to_owned()),
    ];
    values.extend(TYPESCRIPT.iter().map(|(name, version)| (*name, (*version).to_owned())));
    values
}

/// Returns where a file goes: templates do not hide, and do not know the name of the package.
fn place(path: &str, name: &Name) -> String {
    if path == "gitignore" { ".gitignore".to_owned() } else { path.replace("src/package/", &format!("src/{}/", name.module())) }
}

/// Puts values in place of `{{their names}}`.
fn fill(text: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(name: &str, language: Language) -> Project {
        Project::new(Name::parse(name, language).unwrap(), language)
    }

    fn text(project: &Project, path: &str) -> String {
        project.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).text.clone()
    }

    #[test]
    fn no_placeholder_is_left() {
        for language in Language::ALL {
            for file in project("my-weather", language).files {
                assert!(!file.text.contains("{{"), "{}: {}", file.path, file.text);
                assert!(file.text.ends_with('\n') && !file.text.ends_with("\n\n"), "{}", file.path);
            }
        }
    }

    #[test]
    fn what_tools_read_is_well_formed() {
        for language in Language::ALL {
            let project = project("my-weather", language);
            for file in &project.files {
                if file.path.ends_with(".json") {
                    serde_json::from_str::<serde_json::Value>(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path));
                } else if file.path.ends_with(".toml") {
                    file.text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{}: {error}", file.path));
                }
            }
            assert!(text(&project, "server.json").contains("\"io.github.your-name/my-weather\""));
            assert!(text(&project, "README.md").contains("toolcrib call my-weather.count_words"));
        }
    }

    #[test]
    fn a_module_of_python_has_no_hyphen() {
        let project = project("my-weather", Language::Python);
        assert!(text(&project, "pyproject.toml").contains("my-weather = \"my_weather.server:main\""));
        assert!(text(&project, "src/my_weather/server.py").contains("from my_weather import words"));
    }

    #[test]
    fn a_scope_stays_where_npm_wants_it() {
        let project = project("@me/weather", Language::TypeScript);
        assert!(text(&project, "package.json").contains("\"name\": \"@me/weather\""));
        assert!(text(&project, "package.json").contains("\"mcpName\": \"io.github.your-name/weather\""));
        assert!(text(&project, "server.json").contains("\"identifier\": \"@me/weather\""));
        assert!(text(&project, "README.md").contains("toolcrib call weather.count_words"));
    }

    #[test]
    fn what_is_made_does_not_go_into_a_repository() {
        for (language, made) in [(Language::Rust, "/target"), (Language::TypeScript, "/dist"), (Language::Python, "/.venv")] {
            assert!(text(&project("weather", language), ".gitignore").contains(made));
        }
    }
}
