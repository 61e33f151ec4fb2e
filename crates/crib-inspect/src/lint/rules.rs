//! The rules, each with its name, how bad it is, and what to do.

use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It breaks the protocol, or an API refuses it.
    Error,
    /// It works in some places and not in others, or misleads a model.
    Warning,
    /// It could be better.
    Advice,
}

impl Severity {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

macro_rules! rules {
    ($($name:ident = $text:literal, $severity:ident, $fix:literal;)+) => {
        /// What is looked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $($name,)+
        }

        impl Rule {
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the name that reports have.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// Says what to do.
            #[must_use]
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$name => $fix,)+ }
            }
        }
    };
}

rules! {
    NameMissing = "name/missing", Error, "give every tool a `name`";
    NameCharacters = "name/characters", Error, "use letters, digits, `_` and `-` only: every API takes these";
    NameLength = "name/length", Error, "keep names within 64 characters, better within 40: gateways put the server in front";
    NameFirst = "name/first-character", Warning, "begin with a letter or `_`: Gemini refuses others";
    NameDuplicate = "name/duplicate", Error, "give every tool a name of its own";
    NameConfusable = "name/confusable", Warning, "give tools names that cannot be taken for each other";
    NameStyle = "name/style", Advice, "name all tools in one style: a model guesses names by the others";
    DescriptionMissing = "description/missing", Warning, "say in a sentence or two what the tool does and when to use it";
    DescriptionShort = "description/short", Advice, "say what the tool does, when to use it, and what it returns";
    DescriptionLong = "description/long", Warning, "OpenAI cuts descriptions at 1024 characters; move details to the parameters";
    ParameterDescription = "description/parameter", Advice, "describe every parameter: format, unit, an example";
    SchemaMissing = "schema/missing", Error, "every tool has an `inputSchema`; `{\"type\":\"object\"}` takes nothing";
    SchemaRoot = "schema/root-type", Error, "the root of `inputSchema` is `\"type\": \"object\"`";
    SchemaInvalid = "schema/invalid", Error, "make it a JSON Schema of 2020-12";
    SchemaRootUnion = "schema/root-union", Error, "no `oneOf`, `anyOf` or `allOf` at the root: Anthropic and OpenAI refuse it; make one object with optional members";
    SchemaRef = "schema/ref", Warning, "write the schema in place: several clients do not follow `$ref`, and Gemini refuses it in `parameters`";
    SchemaRemoteRef = "schema/remote-ref", Error, "refer to `#/$defs/...` only: nobody may fetch a schema from the network";
    SchemaRecursive = "schema/recursive", Warning, "bound the depth: Anthropic's strict mode and Gemini refuse schemas that contain themselves";
    SchemaItems = "schema/array-items", Error, "say what `items` an array has: Gemini refuses arrays without";
    SchemaEnumType = "schema/enum-type", Warning, "only texts in an `enum`: Gemini refuses numbers";
    SchemaEnumSize = "schema/enum-size", Warning, "at most 1000 values in all enums of a tool, and 250 in a long one (OpenAI strict)";
    SchemaDepth = "schema/depth", Warning, "at most ten levels (OpenAI strict); three are easier for every model";
    SchemaSize = "schema/size", Warning, "at most 5000 properties and 120 000 characters of names (OpenAI strict)";
    SchemaRequired = "schema/required-unknown", Error, "every name in `required` must be one of the `properties`";
    SchemaDefault = "schema/default", Warning, "a `default` must fit its own schema";
    SchemaKeyword = "schema/keyword", Advice, "OpenAI strict or Gemini refuse the keyword; say it in the description as well";
    SchemaStrict = "schema/strict", Advice, "OpenAI strict wants `additionalProperties: false` and every property required (nullable instead of optional)";
    SchemaUntyped = "schema/untyped", Advice, "say the type of every parameter";
    SchemaHeader = "schema/x-mcp-header", Error, "follow the rules for `x-mcp-header`: clients must drop such a tool over HTTP";
    OutputRoot = "output/root-type", Warning, "`outputSchema` is `\"type\": \"object\"` for clients before 2026-07-28";
    OutputInvalid = "output/invalid", Error, "make `outputSchema` a JSON Schema of 2020-12";
    OutputMissing = "output/missing", Advice, "an `outputSchema` lets programs use the result";
    AnnotationsMissing = "annotations/missing", Advice, "say `readOnlyHint`, and for tools that write `destructiveHint`: clients ask people by them";
    AnnotationsConflict = "annotations/conflict", Warning, "a read-only tool cannot be destructive";
    AnnotationsType = "annotations/type", Error, "hints are true or false";
    Poison = "text/poison", Error, "describe the tool, and say nothing to the model";
    Suspicious = "text/suspicious", Warning, "describe the tool, and say nothing to the model";
    TokensTool = "tokens/tool", Advice, "shorten it: every model reads it with every request";
    TokensServer = "tokens/server", Warning, "offer fewer tools, or shorter definitions: models choose worse among many";
    ResourceInvalid = "resource/invalid", Error, "every resource has a `uri` and a `name`";
    PromptInvalid = "prompt/invalid", Error, "every prompt has a `name`, every argument of it too";
    ListProblem = "list/problem", Error, "answer lists as the protocol says";
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
