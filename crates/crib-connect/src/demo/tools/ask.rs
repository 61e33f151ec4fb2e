//! Tools that ask back: they return questions, and are called again with the answers. Nothing is kept in between.

use crib_mcp::{Ability, RpcError};
use crib_model::InputResponse;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::demo::tool::{Context, Said, Tool};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct AskName {}

impl Tool for AskName {
    const NAME: &'static str = "ask_name";
    const TITLE: &'static str = "Ask for a name";
    const DESCRIPTION: &'static str = "Asks the user for a name with a form, then greets. 询问用户的名字并问候。";

    async fn run(self, cx: &Context) -> Result<Said, RpcError> {
        const STATE: &str = "ask_name/1";
        cx.require(Ability::ElicitForm, &json!({ "elicitation": { "form": {} } }))?;
        let Some(answer) = cx.answer("name", STATE)? else {
            let schema = json!({
                "type": "object",
                "properties": { "name": { "type": "string", "title": "Name", "minLength": 1 } },
                "required": ["name"],
            });
            let params = json!({ "mode": "form", "message": "What is your name?", "requestedSchema": schema });
            return Ok(ask("name", "elicitation/create", &params, STATE));
        };
        Ok(match read(&answer) {
            Ok(reply) if text_at(&reply, "/action") == Some("accept") => match text_at(&reply, "/content/name") {
                Some(name) => Said::text(format!("Hello, {name}!")),
                None => Said::failure("the form came back without a name"),
            },
            Ok(_) => Said::text("The user did not want to tell."),
            Err(why) => Said::failure(&why),
        })
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Summarize {
    /// What to summarise. 要总结的文字
    text: String,
}

impl Tool for Summarize {
    const NAME: &'static str = "summarize";
    const TITLE: &'static str = "Summarize";
    const DESCRIPTION: &'static str = "Has the client's own model summarise a text in one sentence. 请客户端的模型用一句话总结。";

    async fn run(self, cx: &Context) -> Result<Said, RpcError> {
        const STATE: &str = "summarize/1";
        cx.require(Ability::Sample, &json!({ "sampling": {} }))?;
        let Some(answer) = cx.answer("summary", STATE)? else {
            let text = format!("Summarise this in one sentence:\n\n{}", self.text);
            let message = json!({ "role": "user", "content": { "type": "text", "text": text } });
            let params = json!({ "messages": [message], "maxTokens": 200 });
            return Ok(ask("summary", "sampling/createMessage", &params, STATE));
        };
        Ok(match read(&answer) {
            // The content is one block, or several.
            Ok(reply) => match text_at(&reply, "/content/text").or_else(|| text_at(&reply, "/content/0/text")) {
                Some(text) => Said::text(text.to_owned()),
                None => Said::failure("the model did not answer with text"),
            },
            Err(why) => Said::failure(&why),
        })
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListRoots {}

impl Tool for ListRoots {
    const NAME: &'static str = "list_roots";
    const TITLE: &'static str = "List roots";
    const DESCRIPTION: &'static str = "Lists the folders the client has opened for servers. 列出客户端开放的目录。";

    async fn run(self, cx: &Context) -> Result<Said, RpcError> {
        const STATE: &str = "list_roots/1";
        cx.require(Ability::Roots, &json!({ "roots": {} }))?;
        let Some(answer) = cx.answer("roots", STATE)? else {
            return Ok(ask("roots", "roots/list", &json!({}), STATE));
        };
        Ok(match read(&answer) {
            Ok(reply) => {
                let roots = reply.pointer("/roots").and_then(Value::as_array).into_iter().flatten();
                let uris = roots.filter_map(|root| text_at(root, "/uri"));
                Said::text(uris.collect::<Vec<_>>().join("\n"))
            }
            Err(why) => Said::failure(&why),
        })
    }
}

fn ask(key: &str, method: &str, params: &Value, state: &'static str) -> Said {
    Said::Questions { requests: json!({ key: { "method": method, "params": params } }), state }
}

fn read(answer: &InputResponse) -> Result<Value, String> {
    match answer {
        InputResponse::Result(json) => json.read().map_err(|error| format!("the client's answer cannot be read: {error}")),
        InputResponse::Refused(error) => Err(format!("the client refused: {}", error.message)),
    }
}

fn text_at<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path)?.as_str()
}
