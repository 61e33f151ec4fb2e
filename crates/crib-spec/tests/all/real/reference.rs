//! The reference servers: everything, filesystem, memory, time.

use anyhow::Result;
use serde_json::json;

use super::{
    Server,
    compare::{Table, equals_direct},
};

#[tokio::test]
async fn real_everything_equals_direct() -> Result<()> {
    let gzip = json!({ "name": "x.gz", "data": "data:text/plain;base64,aGVsbG8=", "outputType": "resource" });
    equals_direct(&Table {
        test: "real everything",
        prepare: &|_| Ok(()),
        server: &|_| Server::reference("server-everything", &["stdio"]),
        calls: &|_| {
            vec![
                ("echo", json!({ "message": "88 加 22 \u{1f980} \"quoted\" \\ \n" })),
                ("get-sum", json!({ "a": 88, "b": 22 })),
                ("get-sum", json!({ "a": 0.1, "b": 1e300 })),
                ("get-sum", json!({ "a": "eighty", "b": 22 })),
                ("get-tiny-image", json!({})),
                ("get-structured-content", json!({ "location": "New York" })),
                ("get-structured-content", json!({ "location": "Atlantis" })),
                ("get-resource-links", json!({ "count": 3 })),
                ("get-resource-links", json!({ "count": 99 })),
                ("get-resource-reference", json!({ "resourceType": "Blob", "resourceId": -1 })),
                ("get-annotated-message", json!({ "messageType": "error", "includeImage": true })),
                ("get-annotated-message", json!({ "messageType": "success" })),
                ("gzip-file-as-resource", gzip.clone()),
                ("trigger-long-running-operation", json!({ "duration": 0.1, "steps": 2 })),
                ("toggle-subscriber-updates", json!({})),
            ]
        },
        // They tell of the process, tell from then on what was not asked, and run as a task only.
        uncalled: &["get-env", "toggle-simulated-logging", "simulate-research-query"],
        // What it refers to says when it was made.
        unwilling: &["get-resource-reference"],
        tools: 13,
    })
    .await
}

#[tokio::test]
async fn real_filesystem_equals_direct() -> Result<()> {
    equals_direct(&Table {
        test: "real filesystem",
        prepare: &|world| {
            std::fs::write(world.join("hello.txt"), "hello\nworld\n88 加 22\n")?;
            std::fs::write(world.join("pixel.png"), [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])?;
            Ok(std::fs::create_dir(world.join("sub"))?)
        },
        server: &|world| Server::reference("server-filesystem", &[world]),
        calls: &|world| {
            let at = |name: &str| format!("{world}/{name}");
            let edits = json!([{ "oldText": "world", "newText": "there" }]);
            vec![
                ("list_allowed_directories", json!({})),
                ("list_directory", json!({ "path": world })),
                ("list_directory_with_sizes", json!({ "path": world, "sortBy": "size" })),
                ("directory_tree", json!({ "path": world })),
                ("read_text_file", json!({ "path": at("hello.txt") })),
                ("read_text_file", json!({ "path": at("hello.txt"), "head": 1 })),
                ("read_text_file", json!({ "path": at("hello.txt"), "head": 1, "tail": 1 })),
                ("read_text_file", json!({ "path": "/etc/passwd" })),
                ("read_text_file", json!({ "path": at("../escape.txt") })),
                ("read_text_file", json!({ "path": at("none.txt") })),
                ("read_file", json!({ "path": at("hello.txt"), "tail": 1 })),
                ("read_media_file", json!({ "path": at("pixel.png") })),
                ("read_multiple_files", json!({ "paths": [at("hello.txt"), at("none.txt")] })),
                ("edit_file", json!({ "path": at("hello.txt"), "edits": edits, "dryRun": true })),
                ("edit_file", json!({ "path": at("hello.txt"), "edits": edits })),
                ("edit_file", json!({ "path": at("hello.txt"), "edits": [{ "oldText": "no such text", "newText": "" }] })),
                ("write_file", json!({ "path": at("sub/new.txt"), "content": "новый\n" })),
                ("write_file", json!({ "path": at("none/new.txt"), "content": "" })),
                ("create_directory", json!({ "path": at("sub/deep/er") })),
                ("move_file", json!({ "source": at("sub/new.txt"), "destination": at("sub/moved.txt") })),
                ("move_file", json!({ "source": at("sub/new.txt"), "destination": at("sub/again.txt") })),
                ("search_files", json!({ "path": world, "pattern": "**/*.txt" })),
                ("get_file_info", json!({ "path": at("none.txt") })),
                ("directory_tree", json!({ "path": world, "excludePatterns": ["deep"] })),
            ]
        },
        uncalled: &[],
        // Of a file that is there it says when it was made.
        unwilling: &["get_file_info"],
        tools: 14,
    })
    .await
}

#[tokio::test]
async fn real_memory_equals_direct() -> Result<()> {
    equals_direct(&Table {
        test: "real memory",
        prepare: &|_| Ok(()),
        server: &|world| {
            let mut server = Server::reference("server-memory", &[])?;
            server.env.push(("MEMORY_FILE_PATH", format!("{world}/memory.json")));
            Ok(server)
        },
        calls: &|_| {
            let entity = |name: &str| json!({ "name": name, "entityType": "person", "observations": ["likes Rust"] });
            let relation = json!({ "from": "Ada", "to": "Lin", "relationType": "knows" });
            vec![
                ("read_graph", json!({})),
                ("create_entities", json!({ "entities": [entity("Ada"), entity("Lin"), entity("Ada")] })),
                ("create_relations", json!({ "relations": [relation, relation] })),
                ("add_observations", json!({ "observations": [{ "entityName": "Ada", "contents": ["писала"] }] })),
                ("add_observations", json!({ "observations": [{ "entityName": "Nobody", "contents": ["x"] }] })),
                ("search_nodes", json!({ "query": "rust" })),
                ("open_nodes", json!({ "names": ["Ada", "Nobody"] })),
                ("delete_observations", json!({ "deletions": [{ "entityName": "Ada", "observations": ["likes Rust"] }] })),
                ("delete_relations", json!({ "relations": [relation] })),
                ("delete_entities", json!({ "entityNames": ["Lin"] })),
                ("read_graph", json!({})),
            ]
        },
        uncalled: &[],
        unwilling: &[],
        tools: 9,
    })
    .await
}

#[tokio::test]
async fn real_time_equals_direct() -> Result<()> {
    equals_direct(&Table {
        test: "real time",
        prepare: &|_| Ok(()),
        server: &|_| Server::pypi("py", "mcp-server-time", &["--local-timezone=UTC"]),
        calls: &|_| {
            let convert = |from: &str, time: &str| json!({ "source_timezone": from, "time": time, "target_timezone": "Asia/Kolkata" });
            vec![
                ("get_current_time", json!({ "timezone": "Nowhere/Else" })),
                ("convert_time", convert("UTC", "12:00")),
                ("convert_time", convert("UTC", "not a time")),
                ("convert_time", convert("Nowhere", "12:00")),
                ("convert_time", json!({ "source_timezone": 5, "time": "12:00", "target_timezone": "UTC" })),
            ]
        },
        uncalled: &[],
        unwilling: &["get_current_time"],
        tools: 2,
    })
    .await
}
