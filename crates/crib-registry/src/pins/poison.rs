//! Signs that a text speaks to the model and not of the tool.
//!
//! A few rules, each for one trick that was seen in the wild. One trick alone is a warning, for honest texts come near
//! some of them; text that nobody sees, orders to forget all other orders, and two tricks that belong together are not
//! honest. What the rules find and what they miss is measured in the tests, on the definitions of real servers and on a
//! collection of attacks.

use std::borrow::Cow;
use std::sync::LazyLock;

use crib_mcp::{Json, Kind};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::visible;
use crate::names;

/// Texts of one definition that are looked at.
const TEXTS_MAX: usize = 20_000;
/// Findings of one definition that are reported.
const FINDINGS_MAX: usize = 16;
/// Characters of the text around a finding that are shown.
const EXCERPT_CHARS: usize = 100;
/// Letters and digits in a row that no text for people has.
const BLOB_CHARS: usize = 400;

/// What a text does that a definition has no use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    HiddenText,
    Override,
    ChatMarkup,
    Secrecy,
    SensitiveFile,
    Exfiltration,
    OtherTools,
    Preference,
    Urgency,
    ContextParameter,
    EncodedBlob,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    Low,
    High,
}

/// A place in a text that a rule fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub rule: Rule,
    pub confidence: Confidence,
    /// Where in the definition, `/inputSchema/properties/a/description`; empty for a text by itself.
    pub place: String,
    /// The text around it, hidden characters spelt out.
    pub excerpt: String,
}

impl Rule {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HiddenText => "hidden_text",
            Self::Override => "override",
            Self::ChatMarkup => "chat_markup",
            Self::Secrecy => "secrecy",
            Self::SensitiveFile => "sensitive_file",
            Self::Exfiltration => "exfiltration",
            Self::OtherTools => "other_tools",
            Self::Preference => "preference",
            Self::Urgency => "urgency",
            Self::ContextParameter => "context_parameter",
            Self::EncodedBlob => "encoded_blob",
        }
    }

    /// Says what the text does.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::HiddenText => "holds characters that nobody sees",
            Self::Override => "tells the model to forget its instructions",
            Self::ChatMarkup => "holds markup of conversations",
            Self::Secrecy => "tells the model to keep something from the user",
            Self::SensitiveFile => "wants files that hold credentials",
            Self::Exfiltration => "wants the conversation or credentials sent along",
            Self::OtherTools => "tells how to use other tools",
            Self::Preference => "wants to be preferred over others",
            Self::Urgency => "presses the model in markup of its own",
            Self::ContextParameter => "has a parameter for what the model was told",
            Self::EncodedBlob => "holds a long encoded text",
        }
    }

    /// How sure the rule is by itself.
    const fn alone(self) -> Confidence {
        match self {
            Self::HiddenText | Self::Override | Self::ChatMarkup => Confidence::High,
            Self::Secrecy
            | Self::SensitiveFile
            | Self::Exfiltration
            | Self::OtherTools
            | Self::Preference
            | Self::Urgency
            | Self::ContextParameter
            | Self::EncodedBlob => Confidence::Low,
        }
    }

    /// Whether two tricks make an attack.
    const fn goes_with(self, other: Self) -> bool {
        let is_cover = matches!(self, Self::Secrecy | Self::Urgency);
        let is_deed = matches!(other, Self::SensitiveFile | Self::Exfiltration | Self::OtherTools | Self::ContextParameter);
        let is_theft = matches!((self, other), (Self::SensitiveFile, Self::Exfiltration | Self::OtherTools));
        is_cover && is_deed || is_theft || matches!((self, other), (Self::Secrecy, Self::Urgency))
    }
}

/// The rules that are patterns, over text without hidden characters and with single spaces.
static PATTERNS: LazyLock<Vec<(Rule, Regex)>> = LazyLock::new(|| {
    const PATTERNS: &[(Rule, &str)] = &[
        (
            Rule::Override,
            r"\b(ignore|disregard|forget|override|bypass)\b (all |any |every |the |of |these |those |your |my |other )*(previous|prior|above|earlier|preceding|existing|former|system|original|safety)( \w+)? ?(instructions?|prompts?|rules|messages|directives|guidelines|policies|constraints|context)\b",
        ),
        (Rule::Override, r"\b(your|the) new (system prompt|instructions) (is|are)\b|\bfrom now on,? you (are|must|will)\b"),
        (
            Rule::Override,
            r"(忽略|无视|忘记)(掉)?(你)?(之前|以上|先前|前面|此前|所有|全部)(的)?(所有|全部|任何)?(的)?(指令|指示|提示|规则|系统提示)",
        ),
        (
            Rule::ChatMarkup,
            r"<\|(im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id)\|>|\[/?INST\]|<</?SYS>>|</?(system|assistant)>|</?(system[-_ ]?prompt|system[-_ ]?message|system[-_ ]?reminder)>",
        ),
        (
            Rule::Secrecy,
            r"\b(do not|don't|dont|never|must not|should not|shouldn't|mustn't|avoid|without) (ever |also |explicitly |directly |even )*(tell|telling|mention|mentioning|inform|informing|notify|notifying|reveal|revealing|disclose|disclosing|alert|alerting|warn|warning|let)\b[^.!?]{0,60}\b(the |this |that |it |to )*(users?|human|person|operator)\b",
        ),
        (
            Rule::Secrecy,
            r"\b(hide|conceal|keep)\b[^.!?]{0,40}\b(from|hidden from|secret from|unknown to) (the )?(users?|human|operator)\b|\b(the )?users? (must|should|may|can|need) ?not (know|see|notice|be (told|informed|aware|notified))\b|\b(secretly|covertly|silently|discreetly) (read|send|copy|upload|include|forward|add|append|execute|run|call|pass|collect|store)\b",
        ),
        (Rule::Secrecy, r"(不要|不得|切勿|别|禁止)(告诉|告知|提醒|通知|让|向)用户|对用户(隐瞒|保密)"),
        (
            Rule::SensitiveFile,
            r"(~|\$home|/home/[^/ ]+|/root|%userprofile%)?[/\\]?\.(ssh|gnupg|aws|kube|docker|azure)[/\\]|\bid_(rsa|ed25519|ecdsa|dsa)\b|\.aws[/\\]credentials|/etc/(passwd|shadow)\b|\.git-credentials\b|[/\\]\.?netrc\b|\.cursor[/\\]mcp\.json|claude_desktop_config\.json|\bmcp\.json\b[^.!?]{0,60}\b(content|read|pass|send)|\bwallet\.dat\b|\b(seed phrase|mnemonic phrase)\b",
        ),
        (
            Rule::Exfiltration,
            r"\b(include|pass|put|append|send|attach|provide|copy|insert|forward|upload|post|write|repeat|paste|output|dump|embed)\b[^.!?]{0,60}\b(entire|full|whole|complete|all( of)?|verbatim|exact)( of)?( the| this| our| your| my| previous| prior)* (conversation|chat|message history|messages so far|context window|system prompt|previous messages|instructions you|tool descriptions?)\b",
        ),
        (
            Rule::Exfiltration,
            r"\b(include|pass|put|append|attach|copy|insert|forward|upload|exfiltrate|leak|dump|embed|send)\b[^.!?]{0,40}\b(the |its |their |your |all |any |user'?s? )*(contents? of|value of|values of)?( the | your | all | any )*(environment variables|\.env\b|api keys|access tokens|credentials|passwords|private keys?|secret keys?|session tokens?|ssh keys?)\b[^.!?]{0,60}\b(as|in|into|to|with|through|via|parameter|argument|field|sidenote)\b",
        ),
        (Rule::Exfiltration, r"!\[[^\]]*\]\(https?://[^)]*(\{|\$|%7b|=<)[^)]*\)"),
        (
            Rule::OtherTools,
            r"\b(before|after|prior to|instead of|whenever|each time|every time|when)( you)?('re| are)? ?(use|using|call|calling|invoke|invoking|run|running|execute|executing)( any| all| every| each)( of the)?( other)? tools?\b|\b(any|all|every) other (tools?|servers?)\b[^.!?]{0,60}\b(must|should|always|never|first|broken|deprecated|disabled|unsafe)\b",
        ),
        (
            Rule::OtherTools,
            r"\b(when|if|whenever|once)\b[^.!?]{0,30}\b(tool|function|server)\b[^.!?]{0,15}\b(is|are|gets|was) (called|invoked|used|available|present)\b[^.!?]{0,80}\b(must|should|always|instead|change|replace|set|send|also|redirect)\b|\b(all|every|any) (emails?|messages?|payments?|transfers?|transactions?|files?|commits?)\b[^.!?]{0,30}\b(must|should|need to|has to|have to|are to) (always )?(also )?(be )?(sent|forwarded|copied|redirected|routed|made|paid|bcc'?d?) (to|via|through)\b",
        ),
        (
            Rule::Preference,
            r"\b(always|only) (use|choose|prefer|call|select|pick) this (tool|server|function)\b[^.!?]{0,60}\b(over|instead|rather|before|never|regardless|no matter)\b|\bnever (use|call|choose|select) (any )?(other|another|different|alternative) (tools?|servers?|functions?)\b|\bthis (tool|server) (is|must be) (always )?(the )?(best|preferred|most (trusted|reliable|important)|superior)\b[^.!?]{0,40}\b(over|than|always|tool)",
        ),
        (
            Rule::Urgency,
            r"</?(important|critical|urgent|secret|hidden|instructions?|mandatory|attention|note-to-(the-)?(ai|model|assistant))>|<!--[^>]{20,}-->",
        ),
        (
            Rule::Urgency,
            r"\b(note|message|instructions?) (to|for) (the )?(ai|llm|model|assistant|agent)s?( only)?:|\bas an ai (assistant|model|agent),? you (must|should|will|are required)\b",
        ),
    ];
    // INVARIANT: the tests build them all.
    PATTERNS.iter().filter_map(|(rule, pattern)| Some((*rule, Regex::new(&format!("(?i){pattern}")).ok()?))).collect()
});

/// Names of parameters that ask for what the model was told, and not for what a tool works on.
const CONTEXT_PARAMETERS: [&str; 12] = [
    "sidenote",
    "side_note",
    "system_prompt",
    "systemprompt",
    "conversation_history",
    "conversationhistory",
    "chat_history",
    "chathistory",
    "chain_of_thought",
    "tool_call_history",
    "tools_list",
    "model_instructions",
];

/// Looks at every text of a tool's definition: names, descriptions, enums, defaults, examples, annotations.
#[must_use]
pub fn scan_definition(definition: &Json) -> Vec<Finding> {
    let mut scan = Scan::default();
    scan.walk(definition, &mut String::new());
    scan.finish()
}

/// Looks at one text: instructions, a prompt, the text of a result.
#[must_use]
pub fn scan_text(text: &str) -> Vec<Finding> {
    let mut scan = Scan::default();
    scan.text(text, "");
    scan.finish()
}

#[derive(Default)]
struct Scan {
    texts: usize,
    findings: Vec<Finding>,
}

impl Scan {
    /// INVARIANT: a [`Json`] has passed the scan, which bounds its depth.
    fn walk(&mut self, json: &Json, place: &mut String) {
        if self.texts >= TEXTS_MAX || self.findings.len() >= FINDINGS_MAX {
            return;
        }
        let end = place.len();
        match json.kind() {
            Kind::Object => {
                let members = json.to_object().unwrap_or_default();
                for (name, value) in members.object.members() {
                    place.push('/');
                    place.push_str(&name);
                    self.name(&name, place);
                    self.walk(&value, place);
                    place.truncate(end);
                }
            }
            Kind::Array => {
                for (at, element) in json.to_elements().unwrap_or_default().iter().enumerate() {
                    place.push('/');
                    place.push_str(&at.to_string());
                    self.walk(element, place);
                    place.truncate(end);
                }
            }
            Kind::String => {
                if let Some(text) = json.as_text().filter(|text| !text.starts_with("data:")) {
                    self.text(&text, place);
                }
            }
            Kind::Number | Kind::Bool | Kind::Null => {}
        }
    }

    fn name(&mut self, name: &str, place: &str) {
        let is_parameter = place.rsplit('/').nth(1) == Some("properties");
        if is_parameter && CONTEXT_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) {
            self.add(Rule::ContextParameter, place, name);
        }
        if let Some(at) = hidden_at(name) {
            self.add(Rule::HiddenText, place, around(name, at, at));
        }
    }

    fn text(&mut self, text: &str, place: &str) {
        self.texts += 1;
        if let Some(at) = hidden_at(text) {
            self.add(Rule::HiddenText, place, around(text, at, at));
        }
        let plain = plain(text);
        if has_blob(&plain) {
            self.add(Rule::EncodedBlob, place, around(&plain, 0, 0));
        }
        // Nothing worth a finding is said in fewer words.
        if plain.len() < 8 {
            return;
        }
        for (rule, pattern) in PATTERNS.iter() {
            if let Some(found) = pattern.find(&plain)
                && !self.findings.iter().any(|finding| finding.rule == *rule && finding.place == place)
            {
                self.add(*rule, place, around(&plain, found.start(), found.end()));
            }
        }
    }

    fn add(&mut self, rule: Rule, place: &str, excerpt: &str) {
        if self.findings.len() < FINDINGS_MAX {
            let (place, excerpt) = (visible(place), visible(excerpt));
            self.findings.push(Finding { rule, confidence: rule.alone(), place, excerpt });
        }
    }

    /// Two tricks that belong together are more than each of them.
    fn finish(mut self) -> Vec<Finding> {
        let rules: Vec<Rule> = self.findings.iter().map(|finding| finding.rule).collect();
        for finding in &mut self.findings {
            let has_partner = rules.iter().any(|other| finding.rule.goes_with(*other) || other.goes_with(finding.rule));
            if has_partner {
                finding.confidence = Confidence::High;
            }
        }
        self.findings
    }
}

/// Takes out what nobody sees and makes every space one.
fn plain(text: &str) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|b| (b' '..0x7f).contains(&b)) && !text.contains("  ");
    if is_plain {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !names::is_hidden(c) {
            out.push(match c {
                '\u{2018}' | '\u{2019}' => '\'',
                // Full-width letters are letters.
                '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
                _ => c,
            });
        }
    }
    Cow::Owned(out)
}

/// Finds the first character that hides something. Those that scripts and emoji are written with are no secret.
fn hidden_at(text: &str) -> Option<usize> {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b) || matches!(b, b'\n' | b'\r' | b'\t')) {
        return None;
    }
    let mut before: Option<char> = None;
    let mut is_flag = false;
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let after = rest.peek().map(|(_, next)| *next);
        is_flag = c == '\u{1F3F4}' || is_flag && matches!(c, '\u{E0020}'..='\u{E007F}');
        if names::is_hidden(c) && !is_honest(c, before, after, is_flag) {
            return Some(at);
        }
        before = Some(c);
    }
    None
}

fn is_honest(c: char, before: Option<char>, after: Option<char>, is_flag: bool) -> bool {
    let is_foreign = |c: Option<char>| c.is_some_and(|c| !c.is_ascii());
    let is_keycap = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit() || matches!(c, '#' | '*'));
    match c {
        '\n' | '\r' | '\t' => true,
        // A mark of the byte order that survived at the start of a text.
        '\u{FEFF}' => before.is_none(),
        // Joiners and spaces of no width join and part letters of scripts that need them, and emoji.
        '\u{200B}'..='\u{200D}' | '\u{2060}' => is_foreign(before) && is_foreign(after),
        '\u{200E}' | '\u{200F}' | '\u{61C}' => is_foreign(before) || is_foreign(after),
        '\u{FE00}'..='\u{FE0F}' => is_foreign(before) && !before.is_some_and(names::is_hidden) || is_keycap(before),
        '\u{E0100}'..='\u{E01EF}' => before.is_some_and(|c| matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}')),
        '\u{E0020}'..='\u{E007F}' => is_flag,
        '\u{180B}'..='\u{180F}' | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{34F}' | '\u{2800}' => {
            is_foreign(before) && is_foreign(after)
        }
        // Suggestions where a word may be broken.
        '\u{AD}' => true,
        _ => false,
    }
}

/// Tells whether a text holds a very long run of letters and digits: Base64 and its kind.
fn has_blob(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '/' | '=' | '-' | '_'))
        .any(|run| run.len() >= BLOB_CHARS && run.bytes().any(|b| b.is_ascii_digit()) && run.bytes().any(|b| b.is_ascii_uppercase()))
}

/// Returns the text around a place.
fn around(text: &str, start: usize, end: usize) -> &str {
    let spare = EXCERPT_CHARS.saturating_sub(end - start) / 2;
    let mut from = start.saturating_sub(spare);
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = (end + spare).min(text.len());
    while !text.is_char_boundary(to) {
        to += 1;
    }
    text.get(from..to).unwrap_or_default()
}
