//! A server in the words of any client, to one in ours.
//!
//! Variables stay variables: what a client takes from the environment, we take from it too, and no value is copied out
//! of it.

use crate::shape::Variables;
use crate::table::Client;
use crate::value::Value;

/// A server as our configuration writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub name: String,
    pub value: Value,
    /// Members that have no words in ours.
    pub lost: Vec<String>,
}

/// Why a server cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(pub String);

const COMMAND: &[&str] = &["command", "cmd", "executable"];
const URL: &[&str] = &["url", "httpUrl", "serverUrl", "uri", "baseUrl", "base_url", "server_url"];
const ARGS: &[&str] = &["args", "arguments"];
const ENV: &[&str] = &["env", "envs", "environment"];
const CWD: &[&str] = &["cwd", "workingDirectory", "working_directory"];
const HEADERS: &[&str] = &["headers", "http_headers"];
const KIND: &[&str] = &["type", "transport"];
const INCLUDED: &[&str] = &["includeTools", "enabled_tools", "enabledTools", "tools"];
const EXCLUDED: &[&str] = &["excludeTools", "disabled_tools", "disabledTools"];
/// What means nothing behind a gateway: how a client shows, approves or labels a server.
const IDLE: &[&str] = &[
    "name",
    "key",
    "source",
    "enabled",
    "disabled",
    "isActive",
    "autoApprove",
    "alwaysAllow",
    "trust",
    "bundled",
    "default_tools_approval_mode",
    "required",
    "lifecycle",
    "sandboxEnabled",
    "sandbox",
    "dev",
    "scopes",
    "display_name",
    "available_tools",
];

/// Translates one entry of a client; `None` for what is built into the client.
///
/// # Errors
/// It can be neither started nor reached.
pub fn import(name: &str, entry: &Value, client: &Client) -> Result<Option<Imported>, Unusable> {
    let mut reader = Reader { entry, used: Vec::new(), variables: client.variables() };
    let kind = reader.text(KIND).unwrap_or_default().to_ascii_lowercase().replace(['-', '_'], "");
    let transport = match kind.as_str() {
        "" | "stdio" | "local" | "remote" => None,
        "http" | "streamablehttp" => Some("http"),
        "sse" => Some("sse"),
        "builtin" | "bundled" | "platform" | "frontend" | "sdk" => return Ok(None),
        other => return Err(Unusable(format!("`{other}` is not a way to reach a server that is known here"))),
    };
    let mut members = Vec::new();
    if reader.first(COMMAND).is_some() {
        command(&mut reader, &mut members)?;
    } else if reader.first(URL).is_some() {
        url(&mut reader, transport, &mut members);
    } else {
        return Err(Unusable("it has neither a command nor a URL".to_owned()));
    }
    reader.common(&mut members);
    let lost = entry.members().iter().map(|(name, _)| name.as_str());
    let lost = lost.filter(|name| !reader.used.contains(name) && !IDLE.contains(name)).map(str::to_owned).collect();
    Ok(Some(Imported { name: name.to_owned(), value: Value::Map(members), lost }))
}

type Members = Vec<(String, Value)>;

fn command(reader: &mut Reader<'_>, members: &mut Members) -> Result<(), Unusable> {
    let mut words = match reader.first(COMMAND) {
        // OpenCode has program and arguments in one list.
        Some(Value::List(_)) => reader.texts(COMMAND),
        _ => reader.text(COMMAND).into_iter().collect(),
    };
    words.extend(reader.texts(ARGS));
    // People write whole command lines; a path with blanks in it is still a path.
    if let [line] = words.as_slice()
        && !line.split(' ').next().unwrap_or_default().contains(['/', '\\'])
    {
        words = line.split_whitespace().map(str::to_owned).collect();
    }
    let mut words = words.into_iter();
    let program = words.next().filter(|program| !program.is_empty()).ok_or_else(|| Unusable("its command is empty".to_owned()))?;
    let args: Vec<String> = words.collect();
    members.push(("command".to_owned(), Value::text(program)));
    if !args.is_empty() {
        members.push(("args".to_owned(), Value::texts(args)));
    }
    let mut env = reader.pairs(ENV);
    for name in reader.texts(&["env_vars", "env_keys"]) {
        env.push((name.clone(), Value::text(format!("${{env:{name}}}"))));
    }
    if !env.is_empty() {
        members.push(("env".to_owned(), Value::Map(env)));
    }
    let file = reader.text(&["envFile"]).filter(|file| !file.is_empty());
    members.extend(file.map(|file| ("envFile".to_owned(), Value::text(file))));
    members.extend(reader.text(CWD).filter(|cwd| !cwd.is_empty()).map(|cwd| ("cwd".to_owned(), Value::text(cwd))));
    Ok(())
}

fn url(reader: &mut Reader<'_>, transport: Option<&'static str>, members: &mut Members) {
    // Gemini's `httpUrl` is always Streamable HTTP.
    let transport = transport.or_else(|| reader.entry.member("httpUrl").map(|_| "http"));
    members.extend(reader.text(URL).map(|url| ("url".to_owned(), Value::text(url))));
    members.extend(transport.map(|transport| ("transport".to_owned(), Value::text(transport))));
    let mut headers = reader.pairs(HEADERS);
    if let Some(options) = reader.first(&["requestOptions"]) {
        let mut inner = Reader { entry: options, used: Vec::new(), variables: reader.variables };
        headers.extend(inner.pairs(HEADERS));
    }
    for (header, variable) in reader.pairs(&["env_http_headers"]) {
        headers.extend(variable.as_text().map(|name| (header, Value::text(format!("${{env:{name}}}")))));
    }
    let bearer = reader.text(&["bearer_token_env_var", "bearerTokenEnv"]).map(|name| format!("Bearer ${{env:{name}}}"));
    let bearer = bearer.or_else(|| reader.text(&["apiKey"]).map(|key| format!("Bearer {key}")));
    headers.extend(bearer.map(|bearer| ("Authorization".to_owned(), Value::text(bearer))));
    if !headers.is_empty() {
        members.push(("headers".to_owned(), Value::Map(headers)));
    }
}

/// Reads an entry and remembers what was read.
struct Reader<'e> {
    entry: &'e Value,
    used: Vec<&'e str>,
    variables: Variables,
}

impl<'e> Reader<'e> {
    fn first(&mut self, names: &[&str]) -> Option<&'e Value> {
        let (name, value) = names.iter().find_map(|name| self.entry.members().iter().find(|(known, _)| known == name))?;
        self.used.push(name);
        (!matches!(value, Value::Null)).then_some(value)
    }

    /// A text with its variables in our spelling.
    fn text(&mut self, names: &[&str]) -> Option<String> {
        let value = self.first(names)?;
        self.ours(value)
    }

    fn ours(&self, value: &Value) -> Option<String> {
        scalar(value).map(|text| match self.variables {
            Variables::None => escaped(&text),
            Variables::Shell => variables(&braced(&text)),
            Variables::Braces | Variables::Env | Variables::BareEnv | Variables::Named | Variables::Secrets => variables(&text),
        })
    }

    fn texts(&mut self, names: &[&str]) -> Vec<String> {
        match self.first(names) {
            Some(Value::List(elements)) => elements.iter().filter_map(|element| self.ours(element)).collect(),
            _ => Vec::new(),
        }
    }

    fn pairs(&mut self, names: &[&str]) -> Members {
        let Some(value) = self.first(names) else { return Vec::new() };
        value.members().iter().filter_map(|(name, value)| Some((name.clone(), Value::text(self.ours(value)?)))).collect()
    }

    fn number(&mut self, name: &str) -> Option<f64> {
        let Some(Value::Number(number)) = self.first(&[name]) else { return None };
        number.as_f64().filter(|number| *number > 0.0)
    }

    /// What started and remote servers have in common.
    fn common(&mut self, members: &mut Members) {
        let flag = |name: &str, wanted: bool| self.entry.member(name).and_then(Value::as_bool) == Some(wanted);
        if flag("disabled", true) || flag("enabled", false) || flag("isActive", false) {
            members.push(("enabled".to_owned(), Value::Bool(false)));
        }
        // Some clients count in seconds and some in milliseconds under the same name; nobody means a thousand seconds.
        let call = self.number("tool_timeout_sec").or_else(|| self.number("toolTimeoutMs").map(|ms| ms / 1000.0));
        let call = call.or_else(|| self.number("timeout").map(|n| if n >= 1000.0 { n / 1000.0 } else { n }));
        let start = self.number("startup_timeout_sec");
        for (name, seconds) in [("timeout", call), ("startTimeout", start)] {
            members.extend(seconds.map(|seconds| (name.to_owned(), Value::text(span(seconds)))));
        }
        let mut include = self.texts(INCLUDED);
        if include.iter().any(|pattern| pattern == "*") {
            include.clear();
        }
        let tools = [("include", include), ("exclude", self.texts(EXCLUDED))];
        let tools: Members =
            tools.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name.to_owned(), Value::texts(list))).collect();
        if !tools.is_empty() {
            members.push(("tools".to_owned(), Value::Map(tools)));
        }
        let about = self.text(&["description"]).filter(|about| !about.is_empty());
        members.extend(about.map(|about| ("describe".to_owned(), Value::text(about))));
    }
}

/// A number of seconds as our configuration writes spans of time.
fn span(seconds: f64) -> String {
    if seconds.fract() == 0.0 { format!("{seconds}s") } else { format!("{:.0}ms", seconds * 1000.0) }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// A text of a client without variables: what looks like one of ours is none.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// Puts braces around `$NAME`.
fn braced(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let len = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, behind) = after.split_at(len);
        rest = behind;
        out.push('$');
        if is_name(name) {
            out.push('{');
            out.push_str(name);
            out.push('}');
        } else {
            out.push_str(name);
        }
    }
    out.push_str(rest);
    out
}

/// A text with the variables of some client, with ours.
fn variables(text: &str) -> String {
    let whole = text.strip_prefix("$env:").or_else(|| text.strip_prefix('$')).or_else(|| text.strip_prefix('%')?.strip_suffix('%'));
    if let Some(name) = whole.filter(|name| is_name(name)) {
        return format!("${{env:{name}}}");
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let Some(close) = after.find('}') else { break };
        let (braces, behind) = after.split_at(close + 1);
        let inner = braces.trim_start_matches('{').trim_end_matches('}').trim();
        rest = behind;
        if before.ends_with('$')
            && let Some(secret) = inner.strip_prefix("secrets.")
        {
            // Continue: `${{ secrets.NAME }}`.
            rest = behind.strip_prefix('}').unwrap_or(behind);
            out.push_str("{env:");
            out.push_str(secret);
            out.push('}');
        } else if !before.ends_with('$') && (inner.starts_with("env:") || inner.starts_with("file:")) {
            out.push('$');
            out.push_str(braces);
        } else {
            out.push_str(braces);
        }
    }
    out.push_str(rest);
    out
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Language, Place, entries, find};

    fn one(client: &str, text: &str) -> Result<Option<Imported>, Unusable> {
        let client = find(client).ok_or_else(|| Unusable("no such client".to_owned()))?;
        let read = entries(text, client.language, client.place);
        let (name, value) = read.map_err(|refusal| Unusable(refusal.message))?.remove(0);
        import(&name, &value, client)
    }

    /// The server as a line of JSON.
    fn shown(client: &str, text: &str) -> String {
        let imported = one(client, text).unwrap().unwrap();
        let empty = crate::Spot { language: Language::Json, place: Place::Map(&[]), name: &imported.name };
        let text = crate::upsert("{\"-\": 0}", empty, &imported.value).unwrap().text;
        format!("{}{}", text.replace("{\"-\": 0, ", "{"), imported.lost.iter().map(|lost| format!(" -{lost}")).collect::<String>())
    }

    #[test]
    fn every_way_of_saying_it_is_understood() {
        let cases = [
            ("cursor", "{\"mcpServers\":{\"a\":{\"command\":\"npx -y x\",\"env\":{\"T\":\"${env:T}\",\"N\":1},\"envFile\":\".env\"}}}"),
            ("claude-desktop", "{\"mcpServers\":{\"a\":{\"command\":\"/a b/c\",\"args\":[\"${x}\"]}}}"),
            (
                "opencode",
                "{\"mcp\":{\"a\":{\"type\":\"local\",\"command\":[\"uvx\",\"x\"],\"environment\":{\"T\":\"{env:T}\"},\"enabled\":false}}}",
            ),
            ("windsurf", "{\"mcpServers\":{\"a\":{\"serverUrl\":\"https://x/mcp\",\"headers\":{\"A\":\"Bearer ${env:T}\"}}}}"),
            (
                "gemini-cli",
                "{\"mcpServers\":{\"a\":{\"httpUrl\":\"https://x/mcp\",\"timeout\":5000,\"includeTools\":[\"b\"],\"headers\":{\"A\":\"$T\",\"B\":\"Bearer $T\"}}}}",
            ),
            (
                "codex",
                "[mcp_servers.a]\nurl = \"https://x/mcp\"\nbearer_token_env_var = \"T\"\nstartup_timeout_sec = 2.5\nenabled_tools = [\"b\"]\n",
            ),
            ("codex", "[mcp_servers.a]\ncommand = \"uvx\"\nenv_vars = [\"T\"]\ntool_timeout_sec = 90\noauth_resource = \"x\"\n"),
            ("goose", "extensions:\n  a: { type: sse, uri: https://x/sse, description: d, timeout: 300 }\n"),
            (
                "continue",
                "mcpServers:\n  - name: a\n    url: https://x/mcp\n    requestOptions: { headers: { A: \"Bearer ${{ secrets.T }}\" } }\n",
            ),
            ("copilot-cli", "{\"mcpServers\":{\"a\":{\"type\":\"local\",\"command\":\"x\",\"tools\":[\"*\"]}}}"),
        ];
        let lines: Vec<String> = cases.iter().map(|(client, text)| format!("{client}: {}", shown(client, text))).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn what_is_built_in_is_passed_over_and_what_leads_nowhere_is_said() {
        assert_eq!(one("goose", "extensions: { developer: { type: builtin, enabled: true } }"), Ok(None));
        assert!(one("cursor", "{\"mcpServers\":{\"a\":{\"note\":1}}}").is_err());
        assert!(one("cursor", "{\"mcpServers\":{\"a\":{\"type\":\"carrier-pigeon\",\"url\":\"x\"}}}").is_err());
        assert!(one("cursor", "{\"mcpServers\":{\"a\":{\"command\":\"\"}}}").is_err());
    }
}
