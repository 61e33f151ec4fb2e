//! A big catalogue: 46 tools that work on Excel's files.

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Server,
    compare::{Table, equals_direct},
};

#[tokio::test]
async fn real_excel_equals_direct() -> Result<()> {
    equals_direct(&Table {
        test: "real excel",
        prepare: &|world| {
            let pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
            let pixel = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, pixel)?;
            std::fs::write(world.join("pixel.png"), pixel)?;
            std::fs::create_dir(world.join("empty"))?;
            Ok(std::fs::write(world.join("in.csv"), "Name,Sum\nAda,110\nLin,22\n")?)
        },
        server: &|_| Server::pypi("py", "excel-mcp-server", &["stdio"]),
        calls: &|world| {
            let all = [cells(), looks(), objects(), files(world)].concat();
            let book = format!("{world}/book.xlsx");
            let first = ("create_workbook", json!({ "path": book, "sheets": ["Data", "More"] }));
            let with_book = |(tool, mut arguments): (&'static str, Value)| {
                if tool != "list_workbooks" && arguments.get("path").is_none() {
                    arguments["path"] = json!(book);
                }
                (tool, arguments)
            };
            std::iter::once(first).chain(all.into_iter().map(with_book)).collect()
        },
        uncalled: &["export_workbook"],
        // No macros, no workbook to import, and the server itself breaks on slicers and sparklines with Python 3.11.
        unwilling: &["read_vba", "import_workbook", "add_slicer", "delete_slicer", "add_sparklines", "delete_sparklines"],
        tools: 46,
    })
    .await
}

fn cells() -> Vec<(&'static str, Value)> {
    let rows = json!([["Name", "Unit", "Sum"], ["Ada", "a", 88], ["Lin", "b", 22], ["Ada", "a", 88], ["加", "b", 1.5]]);
    let on = |more: Value| {
        let mut arguments = json!({ "sheet": "Data" });
        if let (Some(arguments), Value::Object(more)) = (arguments.as_object_mut(), more) {
            arguments.extend(more);
        }
        arguments
    };
    vec![
        ("write_range", on(json!({ "at": "A1", "rows": rows }))),
        ("write_range", on(json!({ "at": "E2", "rows": [["=SUM(C2:C5)"], ["=1/0"]] }))),
        ("write_range", on(json!({ "at": "nonsense", "rows": [[1]] }))),
        ("read_range", on(json!({}))),
        ("read_range", on(json!({ "range": "A1:B2" }))),
        ("read_range", json!({ "sheet": "None" })),
        ("find_cells", json!({ "query": "Ada" })),
        ("replace_cells", on(json!({ "query": "Lin", "replacement": "Lina" }))),
        ("copy_range", on(json!({ "range": "A1:C5", "at": "A1", "to_sheet": "More" }))),
        ("sort_range", on(json!({ "range": "A1:C5", "sort_by": [{ "column": "Sum", "order": "descending" }] }))),
        ("sort_range", on(json!({ "range": "A1:C5", "sort_by": [{ "column": "None" }] }))),
        ("transform_range", json!({ "sheet": "More", "range": "A1:C5", "transform": { "operation": "remove_duplicates" } })),
        ("trace_formula", on(json!({ "range": "E2", "direction": "precedents" }))),
        ("goal_seek", on(json!({ "cell": "E2", "target": 300, "changing_cell": "C2" }))),
        ("insert_rows_or_columns", json!({ "sheet": "More", "axis": "rows", "start": 2, "count": 1 })),
        ("delete_rows_or_columns", json!({ "sheet": "More", "axis": "rows", "start": 2, "count": 1 })),
        ("delete_rows_or_columns", json!({ "sheet": "More", "axis": "sideways", "start": 2 })),
        ("clear_range", json!({ "sheet": "More", "range": "C1:C2" })),
        ("set_note", on(json!({ "cell": "A1", "text": "a note", "author": "Ada" }))),
        ("delete_note", on(json!({ "cell": "A1" }))),
        ("delete_note", on(json!({ "cell": "Z9" }))),
    ]
}

fn looks() -> Vec<(&'static str, Value)> {
    let rule = json!({ "type": "cell_value", "operator": "greaterThan", "values": ["50"], "fill_color": "#FF0000" });
    vec![
        ("format_range", json!({ "sheet": "Data", "range": "A1:C1", "style": { "bold": true, "fill_color": "#1F4E78" } })),
        ("format_range", json!({ "sheet": "Data", "range": "A1:C1", "style": { "fill_color": "no color" } })),
        ("merge_cells", json!({ "sheet": "More", "range": "F1:G1" })),
        ("set_sheet_layout", json!({ "sheet": "More", "layout": {} })),
        ("add_conditional_format", json!({ "sheet": "Data", "range": "C2:C5", "rule": rule })),
        ("add_data_validation", json!({ "sheet": "Data", "range": "B2:B5", "rule": { "type": "list", "options": ["a", "b"] } })),
        ("set_workbook_settings", json!({ "settings": { "doc_properties": { "title": "A book" } } })),
        ("create_sheet", json!({ "new_name": "Third", "position": 1 })),
        ("create_sheet", json!({ "new_name": "Data" })),
        ("rename_sheet", json!({ "sheet": "Third", "new_name": "3rd" })),
        ("copy_sheet", json!({ "sheet": "3rd", "new_name": "4th" })),
        ("delete_sheet", json!({ "sheet": "4th" })),
        ("delete_sheet", json!({ "sheet": "4th" })),
        ("describe_sheet", json!({ "sheet": "Data" })),
        ("describe_workbook", json!({})),
    ]
}

fn objects() -> Vec<(&'static str, Value)> {
    let target = json!({ "sheet": "Data", "name": "Sums" });
    let fields = json!({ "sheet": "3rd", "at": "A3", "source": "Data!A1:C5", "row_fields": ["Name"], "value_fields": [{ "field": "Sum" }], "name": "P" });
    vec![
        ("set_table", json!({ "sheet": "Data", "name": "Sums", "range": "A1:C5" })),
        ("add_slicer", json!({ "sheet": "Data", "target": target, "field": "Name", "at": "H1" })),
        ("delete_slicer", json!({ "sheet": "Data", "name": "Name" })),
        ("create_chart", json!({ "sheet": "Data", "chart_type": "column", "at": "H9", "source": "A1:C5" })),
        ("delete_chart", json!({ "sheet": "Data", "name": "Chart 1" })),
        ("delete_chart", json!({ "sheet": "Data", "name": "None" })),
        ("add_sparklines", json!({ "sheet": "More", "range": "H2:H3", "source": "Data!C2:D3" })),
        ("delete_sparklines", json!({ "sheet": "More", "range": "H2:H3" })),
        ("create_pivot_table", fields),
        ("delete_pivot_table", json!({ "sheet": "3rd", "name": "P" })),
        ("set_defined_name", json!({ "name": "Total", "refers_to": "=Data!$E$2" })),
        ("delete_defined_name", json!({ "name": "Total" })),
        ("delete_defined_name", json!({ "name": "Total" })),
    ]
}

fn files(world: &str) -> Vec<(&'static str, Value)> {
    let at = |name: &str| format!("{world}/{name}");
    vec![
        ("insert_image", json!({ "sheet": "More", "image_path": at("pixel.png"), "at": "J1" })),
        ("delete_image", json!({ "sheet": "More", "name": "Picture 1" })),
        ("import_csv", json!({ "sheet": "Imported", "csv_path": at("in.csv") })),
        ("import_csv", json!({ "sheet": "Imported", "csv_path": at("none.csv") })),
        ("export_csv", json!({ "sheet": "Data", "csv_path": at("out.csv") })),
        ("import_workbook", json!({ "path": at("other.xlsx"), "content_base64": "bm90IGEgYm9vaw==" })),
        ("read_vba", json!({})),
        ("describe_workbook", json!({ "path": at("none.xlsx") })),
        ("create_workbook", json!({ "path": at("book.xlsx") })),
        // Not the world itself: how large a workbook is depends on when it was written.
        ("list_workbooks", json!({ "directory": at("none") })),
        ("list_workbooks", json!({ "directory": at("empty") })),
    ]
}
