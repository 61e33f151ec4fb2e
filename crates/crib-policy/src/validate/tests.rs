use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn of(value: &Value) -> Json {
    Json::of(value)
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "callers write literals")]
fn check(schema: Value, arguments: Value, expected: &[&str]) {
    let validator = Validator::compile(&of(&schema)).unwrap();
    let problems = validator.check(Some(&of(&arguments))).err().unwrap_or_default();
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[track_caller]
fn unusable(schema: &Value) -> String {
    Validator::compile(&of(schema)).unwrap_err().to_string()
}

#[test]
fn problems_are_told_in_words() {
    let schema = json!({"type": "object", "required": ["a", "b"], "additionalProperties": false, "properties": {
        "a": {"type": "number"}, "b": {"type": ["string", "null"]}, "c": {"enum": ["x", "y", "z"]},
        "d": {"type": "integer", "minimum": 1, "maximum": 9}, "e": {"type": "array", "items": {"type": "object", "required": ["k"]}},
        "f": {"const": 1}, "g": {"type": "string", "minLength": 2, "pattern": "^a"}}});
    check(schema.clone(), json!({"a": "x"}), &["a: expected number, got \"x\"", "b: required, missing"]);
    check(schema.clone(), json!({"a": 1, "b": null, "q": 1}), &["q: not known"]);
    check(schema.clone(), json!({"a": 1, "b": "", "p": 1, "q": 1}), &["not known: `p` or `q`"]);
    check(schema.clone(), json!({"a": 1, "b": "", "c": "w"}), &["c: expected \"x\", \"y\" or \"z\", got \"w\""]);
    check(schema.clone(), json!({"a": 1, "b": "", "d": 0}), &["d: expected at least 1, got 0"]);
    check(schema.clone(), json!({"a": 1, "b": "", "d": 10}), &["d: expected at most 9, got 10"]);
    check(schema.clone(), json!({"a": 1, "b": "", "d": 1.5}), &["d: expected integer, got 1.5"]);
    check(schema.clone(), json!({"a": 1, "b": "", "e": [{"k": 1}, {}]}), &["e[1].k: required, missing"]);
    check(
        schema.clone(),
        json!({"a": {}, "b": []}),
        &["a: expected number, got an object", "b: expected null or string, got an array of 0"],
    );
    check(schema.clone(), json!({"a": 1, "b": "", "f": 2}), &["f: expected 1, got 2"]);
    check(
        schema,
        json!({"a": 1, "b": "", "g": "b"}),
        &["g: expected at least 2 characters, got \"b\"", "g: expected text that matches `^a`, got \"b\""],
    );
}

#[test]
fn no_arguments_are_an_empty_object() {
    let validator = Validator::compile(&of(&json!({"type": "object", "required": ["a"]}))).unwrap();
    assert_eq!(validator.check(None).unwrap_err(), [Problem { path: "a".to_owned(), message: "required, missing".to_owned() }]);
    assert!(Validator::compile(&of(&json!({"type": "object"}))).unwrap().check(None).is_ok());
}

#[test]
fn long_values_and_many_problems_are_cut() {
    let validator = Validator::compile(&of(&json!({"additionalProperties": {"type": "number"}}))).unwrap();
    let arguments: Value = (0..100).map(|i| (format!("k{i}"), json!("é".repeat(1000)))).collect::<serde_json::Map<_, _>>().into();
    let problems = validator.check(Some(&of(&arguments))).unwrap_err();
    assert_eq!(problems.len(), PROBLEMS_MAX);
    assert!(problems.iter().all(|problem| problem.message.chars().count() < 120));
}

#[test]
fn the_draft_is_the_one_the_schema_names() {
    // A list of items is a tuple in draft-07 and not a schema at all in 2020-12.
    let tuple = json!({"properties": {"t": {"items": [{"type": "string"}]}}});
    assert!(Validator::compile(&of(&tuple)).is_err());
    let mut old = tuple;
    old["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    check(old, json!({"t": [1]}), &["t[0]: expected string, got 1"]);
    let exclusive =
        json!({"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"n": {"maximum": 1, "exclusiveMaximum": true}}});
    assert!(Validator::compile(&of(&exclusive)).unwrap().check(Some(&of(&json!({"n": 1})))).is_err());
}

#[test]
fn references_stay_inside_the_schema() {
    check(
        json!({"$defs": {"a b": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/a%20b"}}}),
        json!({"x": 1}),
        &["x: expected string, got 1"],
    );
    for reference in [
        "https://example.com/s.json",
        "file:///etc/passwd",
        "other.json",
        "#/$defs/none",
        "#anchor",
        "http://json-schema.org/draft-07/schema#",
    ] {
        let why = unusable(&json!({"properties": {"x": {"$ref": reference}}}));
        assert!(why.contains("refers to"), "{why}");
    }
    assert!(unusable(&json!({"$dynamicRef": "#x"})).contains("$dynamicRef"));
    assert!(unusable(&json!({"properties": {"x": {"$id": "https://example.com/x", "$ref": "#"}}})).contains("$id"));
}

#[test]
fn schemas_beyond_the_caps_or_not_valid_are_not_used() {
    let deep = (0..40).fold(json!({}), |inner, _| json!({"properties": {"a": inner}}));
    assert!(unusable(&deep).contains("deeper"));
    let wide: Value = json!({"anyOf": (0..2001).map(|i| json!({"const": i})).collect::<Vec<_>>()});
    assert!(unusable(&wide).contains("2000"));
    assert!(unusable(&json!({"description": "x".repeat(300_000)})).contains("256 KiB"));
    unusable(&json!({"type": "strin"}));
    unusable(&json!({"properties": {"a": {"pattern": "("}}}));
    assert!(unusable(&json!({"$ref": "#"})).contains("without end"));
    assert!(
        unusable(&json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}))
            .contains("without end")
    );
}

#[test]
fn patterns_with_look_around_are_not_used_for_they_may_take_forever() {
    unusable(&json!({"properties": {"a": {"pattern": "(?=a)(a+)+\\1$"}}}));
    let validator = Validator::compile(&of(&json!({"properties": {"a": {"pattern": "^(a+)+$"}}}))).unwrap();
    assert!(validator.check(Some(&of(&json!({"a": format!("{}b", "a".repeat(50_000))})))).is_err());
}

#[test]
fn a_schema_that_branches_with_every_reference_is_left_to_the_server() {
    let mut defs = serde_json::Map::new();
    for i in 0..30 {
        let next = json!({"$ref": format!("#/$defs/d{}", i + 1)});
        defs.insert(format!("d{i}"), json!({"allOf": [next, next]}));
    }
    defs.insert("d30".to_owned(), json!({"type": "string"}));
    let bomb = Validator::compile(&of(&json!({"$defs": defs, "properties": {"x": {"$ref": "#/$defs/d0"}}}))).unwrap();
    assert!(bomb.check(Some(&of(&json!({"x": 1})))).is_ok());

    let twice = json!({"$defs": {"n": {"anyOf": [
        {"properties": {"k": {"$ref": "#/$defs/n"}}, "required": ["p"]},
        {"properties": {"k": {"$ref": "#/$defs/n"}}, "required": ["q"]}]}}, "$ref": "#/$defs/n"});
    let twice = Validator::compile(&of(&twice)).unwrap();
    let nested = |depth: usize| (0..depth).fold(json!({}), |inner, _| json!({"k": inner}));
    assert!(twice.check(Some(&of(&nested(4)))).is_err());
    assert!(twice.check(Some(&of(&nested(60)))).is_ok());
}

#[test]
fn recursive_schemas_of_real_tools_are_checked() {
    let any = json!({"$defs": {"v": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "array", "items": {"$ref": "#/$defs/v"}},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/v"}}]}}, "properties": {"data": {"$ref": "#/$defs/v"}}});
    let any = Validator::compile(&of(&any)).unwrap();
    let mut value = json!(1);
    for _ in 0..20 {
        value = json!({"a": [value, "x"]});
    }
    assert!(any.check(Some(&of(&json!({"data": value})))).is_ok());
    assert!(any.check(Some(&of(&json!({"data": {"a": [true]}})))).is_err());
    let tree = json!({"$defs": {"n": {"type": "object", "properties": {"l": {"$ref": "#/$defs/n"}, "r": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"});
    let tree = Validator::compile(&of(&tree)).unwrap();
    let nested = |leaf: Value| (0..50).fold(leaf, |inner, _| json!({"l": inner}));
    assert!(tree.check(Some(&of(&nested(json!({}))))).is_ok());
    assert!(tree.check(Some(&of(&nested(json!(1))))).is_err());
}

#[test]
fn compiled_schemas_are_kept_and_unusable_ones_reported_once() {
    let validators = Validators::new(2);
    let mut reports = 0;
    for _ in 0..3 {
        assert!(validators.at(0, || Some(of(&json!({"type": "object"}))), |_| reports += 1).is_some());
        assert!(validators.at(1, || Some(of(&json!({"$ref": "x"}))), |_| reports += 1).is_none());
        assert!(validators.at(2, || None, |_| reports += 1).is_none());
    }
    assert_eq!(reports, 1);
}

#[test]
fn a_number_too_large_for_anyone_is_left_to_the_server() {
    let validator = Validator::compile(&of(&json!({"properties": {"n": {"type": "string"}}}))).unwrap();
    let arguments = Json::parse(&Bytes::from_static(br#"{"n":1e999}"#)).unwrap();
    assert!(validator.check(Some(&arguments)).is_ok());
}

fn simple_schema() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec!["string", "integer", "number", "boolean", "array", "object", "null"]);
    prop_oneof![
        4 => kind.clone().prop_map(|kind| json!({"type": kind, "description": "d"})),
        1 => (kind.clone(), kind).prop_filter_map("types differ", |(a, b)| (a != b).then(|| json!({"type": [a, b]}))),
        1 => Just(json!({"type": "string", "enum": ["a", "b", "\u{e9}"]})),
        1 => Just(json!({"const": "a"})),
        1 => (-3i32..3, -3i32..3).prop_map(|(min, max)| json!({"type": "integer", "minimum": min, "maximum": max})),
        1 => (-3.0f64..3.0).prop_map(|min| json!({"type": "number", "minimum": (min * 10.0).round() / 10.0})),
        1 => Just(json!({"maximum": 2})),
        1 => Just(json!({})),
        1 => Just(json!(true)),
        1 => Just(json!({"type": "string", "maxLength": 1})),
    ]
}

fn flat_schema() -> impl Strategy<Value = Value> {
    let properties = prop::collection::btree_map("[a-e]", simple_schema(), 0..5);
    let required = prop::collection::btree_set("[a-f]", 0..3);
    (properties, required, prop::sample::select(vec![None, Some(true), Some(false)])).prop_map(|(properties, required, open)| {
        let mut schema = json!({"type": "object", "properties": properties, "required": required});
        if let Some(open) = open {
            schema["additionalProperties"] = json!(open);
        }
        schema
    })
}

fn value_text() -> impl Strategy<Value = String> {
    prop_oneof![
        (-4i32..4).prop_map(|n| n.to_string()),
        prop::sample::select(vec![
            "1.0",
            "0.5",
            "-2.50",
            "1e0",
            "1E2",
            "15e-1",
            "-0",
            "9007199254740993",
            "1e999",
            "123456789012345678901234567890",
            "true",
            "false",
            "null",
            "\"a\"",
            "\"b\"",
            "\"\\u0061\"",
            "\"\\u00e9\"",
            "\"\u{e9}\"",
            "\"\"",
            "[]",
            "[1, 2]",
            "{}",
            "{\"a\":1e999}",
            "[1e999]",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_quick_look_agrees_with_the_full_validator(
        schema in flat_schema(),
        members in prop::collection::btree_map("[a-g]", value_text(), 0..6),
    ) {
        let validator = Validator::compile(&of(&schema)).unwrap();
        let members: Vec<String> = members.iter().map(|(name, value)| format!(" \"{name}\" : {value}")).collect();
        let arguments = Json::parse(&Bytes::from(format!("{{{}}}", members.join(",")))).unwrap();
        let Some(fast) = &validator.fast else { return Ok(()) };
        let full = validator.check_fully(&arguments);
        let is_readable = arguments.read::<Value>().is_ok();
        match fast.check(&arguments) {
            Verdict::Fits => prop_assert!(full.is_ok(), "{schema} {arguments} {full:?}"),
            Verdict::DoesNotFit => prop_assert!(full.is_err() || !is_readable, "{schema} {arguments}"),
            Verdict::Unsure => {}
        }
    }

    #[test]
    fn no_schema_and_no_arguments_bring_it_down(schema in any_json(), arguments in any_json()) {
        if let Ok(validator) = Validator::compile(&of(&schema)) {
            let problems = validator.check(Some(&of(&arguments))).err().unwrap_or_default();
            prop_assert!(problems.len() <= PROBLEMS_MAX);
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
        prop::sample::select(vec!["string", "object", "array", "#", "#/$defs/a", "^a+$"]).prop_map(Value::from),
    ];
    let word = prop::sample::select(vec![
        "type",
        "properties",
        "items",
        "anyOf",
        "$ref",
        "$defs",
        "a",
        "required",
        "enum",
        "not",
        "additionalProperties",
        "pattern",
        "$schema",
        "minimum",
        "const",
        "prefixItems",
        "if",
        "then",
        "dependentSchemas",
        "uniqueItems",
    ]);
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(word.clone(), inner, 0..5).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

#[test]
fn simple_schemas_take_the_quick_way() {
    let schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "title": "t", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"type": "number", "description": "first", "x-mcp-header": "A"}, "b": {"type": "string", "format": "date", "default": "x"}}});
    let validator = Validator::compile(&of(&schema)).unwrap();
    let fast = validator.fast.as_ref().unwrap();
    assert_eq!(fast.check(&of(&json!({"a": 1, "b": "x"}))), Verdict::Fits);
    assert_eq!(fast.check(&of(&json!({"b": "x"}))), Verdict::DoesNotFit);
    assert_eq!(fast.check(&of(&json!([]))), Verdict::Unsure);
}

#[test]
fn a_long_chain_of_references_does_not_exhaust_the_stack() {
    let mut defs = serde_json::Map::new();
    for i in 0..900 {
        defs.insert(format!("d{i}"), json!({"properties": {"a": {"$ref": format!("#/$defs/d{}", i + 1)}}}));
    }
    defs.insert("d900".to_owned(), json!({}));
    let schema = of(&json!({"$defs": defs, "properties": {"x": {"$ref": "#/$defs/d0"}}}));
    let compile = move || Validator::compile(&schema).is_ok();
    let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(compile).unwrap();
    assert!(thread.join().unwrap());
}

#[test]
fn null_stands_for_an_argument_that_is_left_out() {
    let schema = serde_json::json!({
        "type": "object", "properties": { "a": { "type": "boolean" }, "b": { "type": "string" } }, "required": ["b"], "additionalProperties": false,
    });
    let validator = Validator::compile(&of(&schema)).unwrap();
    let check = |text: &'static str| validator.check(Some(&Json::from_static(text))).is_ok();
    assert!(check(r#"{"a":null,"b":"x"}"#));
    assert!(!check(r#"{"a":null,"b":null}"#));
    assert!(!check(r#"{"b":"x","c":null}"#));
    assert!(!check(r#"{"a":"no","b":"x"}"#));
}

#[test]
fn a_required_argument_with_a_default_may_be_left_out() {
    let schema =
        json!({"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string", "default": "x"}, "b": {"type": "string"}}});
    check(schema.clone(), json!({"b": "y"}), &[]);
    check(schema.clone(), json!({"a": 1, "b": "y"}), &["a: expected string, got 1"]);
    check(schema, json!({}), &["b: required, missing"]);
}
