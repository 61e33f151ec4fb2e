//! The ways a call can end, numbered, so that counters can stand in an array.

use crib_mcp::code;
use crib_model::{Code, Ending, Side};

const PLAIN: usize = 5;
/// JSON-RPC errors that are counted by their number; all others are counted together.
const RPC: [i64; 11] = [
    code::PARSE,
    code::INVALID_REQUEST,
    code::METHOD_NOT_FOUND,
    code::INVALID_PARAMS,
    code::INTERNAL,
    -32000,
    -32001,
    -32002,
    -32020,
    -32021,
    -32042,
];
const RPC_START: usize = PLAIN;
const RPC_OTHER: usize = RPC_START + RPC.len();
const CODES_START: usize = RPC_OTHER + 1;

/// How many ways there are.
pub(super) const COUNT: usize = CODES_START + Code::ALL.len();

/// A way to end as metrics, logs and traces name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    /// `TC0203`, or the number of a JSON-RPC error; empty where all went well.
    pub(super) code: String,
    /// Whose doing it was; empty where all went well.
    pub(super) side: &'static str,
}

/// Returns the number of an ending.
pub(super) fn index(ending: &Ending) -> usize {
    match ending {
        Ending::Ok => 0,
        Ending::ToolError => 1,
        Ending::InputRequired => 2,
        Ending::Task => 3,
        Ending::Abandoned => 4,
        Ending::UpstreamError(number) => RPC.iter().position(|known| known == number).map_or(RPC_OTHER, |at| RPC_START + at),
        // The codes are numbered as they are listed.
        Ending::Failed(code) => Code::ALL.binary_search(code).map_or(RPC_OTHER, |at| CODES_START + at),
    }
}

/// Describes the ending of a number.
pub(super) fn describe(index: usize) -> Outcome {
    let plain = |name, side: Option<Side>| Outcome { name, code: String::new(), side: side.map_or("", Side::as_str) };
    match index {
        0 => plain("ok", None),
        1 => plain("tool_error", Some(Side::Upstream)),
        2 => plain("input_required", None),
        3 => plain("task", None),
        4 => plain("abandoned", Some(Side::Client)),
        RPC_OTHER => Outcome { code: "other".to_owned(), ..plain("upstream_error", Some(Side::Upstream)) },
        _ => match (RPC.get(index - RPC_START), index.checked_sub(CODES_START).and_then(|at| Code::ALL.get(at))) {
            (Some(number), _) => Outcome { code: number.to_string(), ..plain("upstream_error", Some(Side::Upstream)) },
            (None, Some(code)) => Outcome { code: code.as_str().to_owned(), ..plain("failed", Some(code.side())) },
            (None, None) => plain("failed", None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_a_number_of_its_own() {
        let endings = [Ending::Ok, Ending::ToolError, Ending::InputRequired, Ending::Task, Ending::Abandoned];
        let errors = RPC.iter().copied().chain([7]).map(Ending::UpstreamError);
        let codes = Code::ALL.iter().copied().map(Ending::Failed);
        let numbers: Vec<usize> = endings.into_iter().chain(errors).chain(codes).map(|ending| index(&ending)).collect();
        assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn an_ending_is_described_as_what_it_is() {
        let described = |ending| {
            let Outcome { name, code, side } = describe(index(&ending));
            format!("{name} {code} {side}")
        };
        assert_eq!(described(Ending::Ok), "ok  ");
        assert_eq!(described(Ending::UpstreamError(-32602)), "upstream_error -32602 upstream");
        assert_eq!(described(Ending::UpstreamError(1)), "upstream_error other upstream");
        assert_eq!(described(Ending::Failed(Code::StartFailed)), "failed TC0203 upstream");
        assert_eq!(described(Ending::Failed(Code::Unauthenticated)), "failed TC0301 client");
    }
}
