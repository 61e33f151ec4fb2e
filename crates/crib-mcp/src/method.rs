//! The methods of all revisions.

use std::fmt;

macro_rules! methods {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// A JSON-RPC method of the protocol, or any other by its text.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub enum Method {
            $($name,)+
            Other(Box<str>),
        }

        impl Method {
            #[must_use]
            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$name,)+
                    _ => Self::Other(text.into()),
                }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Other(text) => text,
                }
            }
        }
    };
}

methods! {
    Initialize = "initialize",
    Ping = "ping",
    Discover = "server/discover",
    ToolsList = "tools/list",
    ToolsCall = "tools/call",
    ResourcesList = "resources/list",
    ResourcesTemplatesList = "resources/templates/list",
    ResourcesRead = "resources/read",
    ResourcesSubscribe = "resources/subscribe",
    ResourcesUnsubscribe = "resources/unsubscribe",
    ResourcesDirectoryRead = "resources/directory/read",
    PromptsList = "prompts/list",
    PromptsGet = "prompts/get",
    Complete = "completion/complete",
    SetLevel = "logging/setLevel",
    Listen = "subscriptions/listen",
    TasksGet = "tasks/get",
    TasksUpdate = "tasks/update",
    TasksCancel = "tasks/cancel",
    TasksList = "tasks/list",
    TasksResult = "tasks/result",
    SkillsList = "skills/list",
    SkillsGet = "skills/get",
    SamplingCreate = "sampling/createMessage",
    ElicitationCreate = "elicitation/create",
    RootsList = "roots/list",
    Initialized = "notifications/initialized",
    Cancelled = "notifications/cancelled",
    Progress = "notifications/progress",
    LogMessage = "notifications/message",
    ToolsChanged = "notifications/tools/list_changed",
    PromptsChanged = "notifications/prompts/list_changed",
    ResourcesChanged = "notifications/resources/list_changed",
    ResourceUpdated = "notifications/resources/updated",
    RootsChanged = "notifications/roots/list_changed",
    Acknowledged = "notifications/subscriptions/acknowledged",
    ElicitationComplete = "notifications/elicitation/complete",
    TaskStatus = "notifications/tasks",
    TaskStatusLegacy = "notifications/tasks/status",
}

impl Method {
    /// Tells whether a server may answer this with `input_required` (2026-07-28, MRTR "Supported Requests").
    #[must_use]
    pub fn allows_input(&self) -> bool {
        matches!(self, Self::ToolsCall | Self::PromptsGet | Self::ResourcesRead)
    }

    /// Returns which parameter names what the request is about: the source of `Mcp-Name`.
    #[must_use]
    pub fn target_key(&self) -> Option<&'static str> {
        if matches!(self, Self::ToolsCall | Self::PromptsGet) {
            Some("name")
        } else if matches!(
            self,
            Self::ResourcesRead | Self::ResourcesSubscribe | Self::ResourcesUnsubscribe | Self::ResourcesDirectoryRead | Self::SkillsGet
        ) {
            Some("uri")
        } else if matches!(self, Self::TasksGet | Self::TasksUpdate | Self::TasksCancel | Self::TasksResult) {
            Some("taskId")
        } else {
            None
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
