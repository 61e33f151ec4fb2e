//! How much work a schema can make.
//!
//! A schema without references is a tree: each of its parts looks at each value at most once. References can make a
//! value be looked at twice as often with every level of nesting (`anyOf` of two ways to the same definition), so the
//! worst case is computed ahead for every depth, and arguments for which it is too much are not checked here.

use std::collections::HashMap;

use serde_json::Value;

use super::SchemaUnusable;

/// Deepest nesting of schemas in each other.
const DEPTH_MAX: usize = 32;
/// Most schemas inside one.
const SCHEMAS_MAX: usize = 2000;
/// Most ways from schemas to the schemas that look at their members.
const WAYS_MAX: usize = 20_000;
/// Deepest arguments that are checked against a schema with references.
const ARGUMENTS_DEPTH_MAX: usize = 64;
/// Most looks of a part of the schema at a part of the arguments: some tens of milliseconds.
const LOOKS_MAX: u64 = 4_000_000;

/// Words with one schema for the same value.
const HERE: [&str; 4] = ["not", "if", "then", "else"];
/// Words with a list of schemas for the same value.
const HERE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Words with named schemas for the same value.
const HERE_MAPS: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Words with one schema for any member or item.
const MEMBERS: [&str; 3] = ["additionalProperties", "unevaluatedProperties", "propertyNames"];
const ITEMS: [&str; 4] = ["items", "additionalItems", "unevaluatedItems", "contains"];

/// The worst case for each depth of arguments.
#[derive(Debug)]
pub(super) struct Cost {
    by_depth: Vec<u64>,
    /// Whether arguments of any greater depth cost as much as the deepest listed.
    is_bounded: bool,
}

/// Which parts of a value a schema hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way<'a> {
    Member(&'a str),
    AnyMember,
    Item(usize),
    AnyItem,
}

#[derive(Debug, Default)]
struct Node<'a> {
    /// Schemas that look at the same value.
    here: Vec<usize>,
    /// Schemas that look at parts of it.
    inside: Vec<(Way<'a>, usize)>,
}

/// What a schema, with all that look at the same value as it does, does to a value.
#[derive(Clone, Debug, Default)]
struct Reach<'a> {
    looks: u64,
    inside: HashMap<(Way<'a>, usize), u64>,
}

impl Cost {
    /// Measures a schema.
    ///
    /// # Errors
    /// The schema is beyond the caps or refers to something that is not in it.
    pub(super) fn of(schema: &Value) -> Result<Self, SchemaUnusable> {
        let mut graph = Graph { root: schema, ids: HashMap::new(), nodes: Vec::new(), targets: Vec::new() };
        graph.add(schema, 0)?;
        while let Some((id, target)) = graph.targets.pop() {
            graph.fill(id, target, 0)?;
        }
        Ok(worst_cases(&graph.reaches()?))
    }

    /// Tells whether checking these arguments stays within the bound.
    pub(super) fn is_affordable(&self, arguments: &Value) -> bool {
        let (depth, count) = measure(arguments);
        let deepest = self.by_depth.last().filter(|_| self.is_bounded);
        self.by_depth.get(depth).or(deepest).is_some_and(|looks| looks.saturating_mul(count) <= LOOKS_MAX)
    }
}

/// Returns how deep a value is, and how many values it holds.
fn measure(value: &Value) -> (usize, u64) {
    let add = |(depth, count): (usize, u64), value: &Value| {
        let (inner_depth, inner_count) = measure(value);
        (depth.max(inner_depth + 1), count + inner_count)
    };
    match value {
        Value::Array(items) => items.iter().fold((0, 1), add),
        Value::Object(members) => members.values().fold((0, 1), add),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (0, 1),
    }
}

fn worst_cases(reaches: &[Reach<'_>]) -> Cost {
    let mut by_depth = Vec::new();
    let mut shallower: Vec<u64> = vec![0; reaches.len()];
    for _ in 0..=ARGUMENTS_DEPTH_MAX {
        let looks: Vec<u64> = reaches.iter().map(|reach| reach.looks.saturating_add(reach.worst_part(&shallower))).collect();
        by_depth.push(looks.first().copied().unwrap_or(u64::MAX));
        if looks == shallower {
            // Deeper parts are not looked at.
            return Cost { by_depth, is_bounded: true };
        }
        shallower = looks;
    }
    Cost { by_depth, is_bounded: false }
}

impl Reach<'_> {
    /// Returns the looks at the most looked at part, if each schema makes `looks` of its own.
    fn worst_part(&self, looks: &[u64]) -> u64 {
        let (mut any_member, mut any_item) = (0u64, 0u64);
        let mut single: HashMap<Way<'_>, u64> = HashMap::new();
        for ((way, schema), times) in &self.inside {
            let sum = match way {
                Way::AnyMember => &mut any_member,
                Way::AnyItem => &mut any_item,
                Way::Member(_) | Way::Item(_) => single.entry(*way).or_default(),
            };
            *sum = sum.saturating_add(looks.get(*schema).copied().unwrap_or(u64::MAX).saturating_mul(*times));
        }
        let of_all = |way: &Way<'_>| if matches!(way, Way::Member(_)) { any_member } else { any_item };
        let worst_single = single.iter().map(|(way, sum)| sum.saturating_add(of_all(way))).max().unwrap_or_default();
        worst_single.max(any_member).max(any_item)
    }
}

/// The schemas inside a schema and how they lead to each other.
struct Graph<'a> {
    root: &'a Value,
    /// By where the schema stands in memory.
    ids: HashMap<*const Value, usize>,
    nodes: Vec<Node<'a>>,
    /// What references name and nobody has looked into yet.
    targets: Vec<(usize, &'a Value)>,
}

impl<'a> Graph<'a> {
    /// Takes a schema and all inside it in.
    fn add(&mut self, schema: &'a Value, depth: usize) -> Result<usize, SchemaUnusable> {
        let (id, is_new) = self.number(schema)?;
        if is_new {
            self.fill(id, schema, depth)?;
        }
        Ok(id)
    }

    fn number(&mut self, schema: &'a Value) -> Result<(usize, bool), SchemaUnusable> {
        let next = self.nodes.len();
        let id = *self.ids.entry(std::ptr::from_ref(schema)).or_insert(next);
        if id == next {
            self.nodes.push(Node::default());
        }
        if id >= SCHEMAS_MAX {
            return Err(SchemaUnusable::new("the schema holds more than 2000 schemas"));
        }
        Ok((id, id == next))
    }

    fn fill(&mut self, id: usize, schema: &'a Value, depth: usize) -> Result<(), SchemaUnusable> {
        if depth > DEPTH_MAX {
            return Err(SchemaUnusable::new("the schema is nested deeper than 32"));
        }
        let node = self.node(schema, depth + 1)?;
        if let Some(place) = self.nodes.get_mut(id) {
            *place = node;
        }
        Ok(())
    }

    fn node(&mut self, schema: &'a Value, depth: usize) -> Result<Node<'a>, SchemaUnusable> {
        let mut node = Node::default();
        let Some(schema_object) = schema.as_object() else { return Ok(node) };
        let is_root = std::ptr::eq(schema, self.root);
        for (word, value) in schema_object {
            let word = word.as_str();
            if matches!(word, "$dynamicRef" | "$recursiveRef") || (matches!(word, "$id" | "id") && !is_root && value.is_string()) {
                return Err(SchemaUnusable::new(format!("the schema uses `{word}`")));
            }
            if word == "$ref" {
                node.here.push(self.target(value)?);
            } else if HERE.contains(&word) {
                node.here.push(self.add(value, depth)?);
            } else if HERE_LISTS.contains(&word) {
                for schema in value.as_array().into_iter().flatten() {
                    node.here.push(self.add(schema, depth)?);
                }
            } else if HERE_MAPS.contains(&word) {
                for schema in value.as_object().into_iter().flat_map(serde_json::Map::values) {
                    node.here.push(self.add(schema, depth)?);
                }
            } else {
                self.inside(word, value, depth, &mut node)?;
            }
        }
        Ok(node)
    }

    fn inside(&mut self, word: &str, value: &'a Value, depth: usize, node: &mut Node<'a>) -> Result<(), SchemaUnusable> {
        match (word, value) {
            ("properties", Value::Object(members)) => {
                for (name, schema) in members {
                    node.inside.push((Way::Member(name), self.add(schema, depth)?));
                }
            }
            ("patternProperties", Value::Object(members)) => {
                for schema in members.values() {
                    node.inside.push((Way::AnyMember, self.add(schema, depth)?));
                }
            }
            ("prefixItems" | "items", Value::Array(items)) => {
                for (at, schema) in items.iter().enumerate() {
                    node.inside.push((Way::Item(at), self.add(schema, depth)?));
                }
            }
            (word, schema) if MEMBERS.contains(&word) => node.inside.push((Way::AnyMember, self.add(schema, depth)?)),
            (word, schema) if ITEMS.contains(&word) => node.inside.push((Way::AnyItem, self.add(schema, depth)?)),
            _ => {}
        }
        Ok(())
    }

    /// Finds what `#/$defs/name` names.
    fn target(&mut self, reference: &Value) -> Result<usize, SchemaUnusable> {
        let text = reference.as_str().unwrap_or_default();
        let outside = || SchemaUnusable::new(format!("the schema refers to `{}`, which is not in it", super::words::clip(text)));
        let pointer = percent_decode(text.strip_prefix('#').ok_or_else(outside)?).ok_or_else(outside)?;
        let root = self.root;
        let target = root.pointer(&pointer).ok_or_else(outside)?;
        let (id, is_new) = self.number(target)?;
        if is_new {
            self.targets.push((id, target));
        }
        Ok(id)
    }

    fn reaches(&self) -> Result<Vec<Reach<'a>>, SchemaUnusable> {
        let mut done: Vec<Option<Reach<'a>>> = vec![None; self.nodes.len()];
        let mut ways = 0;
        for id in 0..self.nodes.len() {
            self.reach(id, &mut done, &mut Vec::new(), &mut ways)?;
        }
        Ok(done.into_iter().map(Option::unwrap_or_default).collect())
    }

    fn reach(&self, id: usize, done: &mut [Option<Reach<'a>>], open: &mut Vec<usize>, ways: &mut usize) -> Result<(), SchemaUnusable> {
        if done.get(id).is_none_or(Option::is_some) {
            return Ok(());
        }
        if open.contains(&id) {
            return Err(SchemaUnusable::new("the schema refers to itself without end"));
        }
        if open.len() > DEPTH_MAX * 2 {
            return Err(SchemaUnusable::new("the schema is a chain of more than 64 references"));
        }
        open.push(id);
        let mut reach = Reach { looks: 1, inside: HashMap::new() };
        let Some(node) = self.nodes.get(id) else { return Ok(()) };
        for (way, schema) in &node.inside {
            reach.add((*way, *schema), 1);
        }
        for other in &node.here {
            self.reach(*other, done, open, ways)?;
            if let Some(Some(other)) = done.get(*other) {
                reach.looks = reach.looks.saturating_add(other.looks);
                other.inside.iter().for_each(|(part, times)| reach.add(*part, *times));
            }
        }
        open.pop();
        *ways += reach.inside.len();
        if *ways > WAYS_MAX {
            return Err(SchemaUnusable::new("the schema is too entangled"));
        }
        if let Some(place) = done.get_mut(id) {
            *place = Some(reach);
        }
        Ok(())
    }
}

impl<'a> Reach<'a> {
    fn add(&mut self, part: (Way<'a>, usize), times: u64) {
        let sum = self.inside.entry(part).or_default();
        *sum = sum.saturating_add(times);
    }
}

/// Decodes a URI fragment.
fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let (digits, behind) = rest.split_first_chunk::<2>()?;
        out.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(out).ok()
}
