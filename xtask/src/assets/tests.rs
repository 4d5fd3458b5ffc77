//! A page in small, through the naming.

use super::{Asset, Sources, When, assemble};

fn sources(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

fn page() -> Sources {
    sources(&[
        (
            "index.html",
            r#"<link href="{{css}}"><script src="{{boot}}"></script><meta content="{{wasm}}"><meta content="{{term}}"><link rel="icon" href="{{icons/i.svg}}">"#,
        ),
        ("boot.js", r#"import init from "./page.js";"#),
        ("page.js", "fetch('./split_lens.wasm'); names('./page_bg.js')"),
        ("page.wasm", "\0asm"),
        ("split_lens.wasm", "\0asm-lens"),
        ("style.css", "a { background: url(icons/i.svg), url(\"data:x\"), url('./icons/i.svg') }"),
        ("icons/i.svg", "<svg/>"),
        ("term.mjs", "import { Terminal } from './xterm.mjs'; const here = './';"),
        ("xterm.mjs", "export const Terminal = 1;"),
    ])
}

fn find<'a>(assets: &'a [Asset], start: &str) -> &'a Asset {
    assets.iter().find(|asset| asset.name.starts_with(start)).unwrap()
}

fn text(asset: &Asset) -> &str {
    std::str::from_utf8(&asset.bytes).unwrap()
}

#[test]
fn every_reference_names_a_file_that_is_there() {
    let assets = assemble(&page()).unwrap();
    let name = |start| &find(&assets, start).name;
    assert_eq!(text(find(&assets, "boot-")), format!("import init from \"./{}\";", name("page-")));
    let term = format!("import {{ Terminal }} from './{}'; const here = './';", name("xterm-"));
    assert_eq!(text(find(&assets, "term-")), term);
    let icon = name("icons/i-");
    let style = format!("a {{ background: url(./{icon}), url(\"data:x\"), url('./{icon}') }}");
    assert_eq!(text(find(&assets, "style-")), style);
    let html = text(find(&assets, "index.html"));
    assert!(html.starts_with(&format!(
        "<link href=\"./{}\"><script src=\"./{}\">",
        name("style-"),
        name("boot-")
    )));
}

#[test]
fn the_terminal_the_icons_and_chunks_are_lazy() {
    let assets = assemble(&page()).unwrap();
    let lazy: Vec<&str> = assets
        .iter()
        .filter(|asset| asset.when == When::Lazy)
        .map(|asset| asset.name.split('-').next().unwrap())
        .collect();
    assert_eq!(lazy, ["icons/i", "split_lens", "term", "xterm"]);
}

#[test]
fn a_change_deep_down_renames_all_above() {
    let before = assemble(&page()).unwrap();
    let mut changed = page();
    changed.insert("split_lens.wasm".to_owned(), b"\0asm-lens2".to_vec());
    let after = assemble(&changed).unwrap();
    assert_ne!(find(&before, "boot-").name, find(&after, "boot-").name);
    assert_eq!(find(&before, "style-").name, find(&after, "style-").name);
}

#[test]
fn a_reference_to_nothing_names_what_there_is() {
    for (name, text) in [
        ("index.html", "{{boots}}"),
        ("boot.js", "import './pages.js'"),
        ("style.css", "url(icons/j.svg)"),
    ] {
        let mut wrong = page();
        wrong.insert(name.to_owned(), text.as_bytes().to_vec());
        let error = format!("{:#}", assemble(&wrong).err().unwrap());
        assert!(error.contains(name) && error.contains("icons/i.svg"), "{error}");
    }
}

#[test]
fn without_npm_the_terminal_has_an_empty_name() {
    let mut without = page();
    without.remove("term.mjs");
    without.remove("xterm.mjs");
    let assets = assemble(&without).unwrap();
    assert!(text(find(&assets, "index.html")).contains("<meta content=\"\">"));
}

#[test]
fn a_circle_is_refused() {
    let mut circle = page();
    circle.insert("xterm.mjs".to_owned(), b"import './term.mjs'".to_vec());
    let error = format!("{:#}", assemble(&circle).err().unwrap());
    assert!(error.contains("in a circle"), "{error}");
}
