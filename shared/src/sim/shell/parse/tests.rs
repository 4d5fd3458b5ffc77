//! Lines of the lessons as trees, and what is no line.

use super::super::syntax::{Part, Redirect, Target, What, Word};
use super::*;

fn word(text: &str) -> Word {
    Word(vec![Part::Text(text.into())])
}

#[track_caller]
fn simple(text: &str) -> (Vec<Word>, Vec<Redirect>) {
    let list = parse(text).unwrap();
    let [item] = &list.0[..] else { panic!("{list:?}") };
    let [command] = &item.first.commands[..] else { panic!("{item:?}") };
    let What::Simple { words, .. } = &command.what else { panic!("{command:?}") };
    (words.clone(), command.redirects.clone())
}

#[test]
fn the_tutorials_lines() {
    let (words, redirects) = simple("echo 20000 > cpu.cfs_quota_us  #20000us=20ms");
    assert_eq!(words, [word("echo"), word("20000")]);
    let to = Target::Write(word("cpu.cfs_quota_us"));
    assert_eq!(redirects, [Redirect { fd: 1, to }]);

    let list = parse("while : ; do : ; done &").unwrap();
    assert!(list.0[0].background);
    assert_eq!(list.0[0].text, "while : ; do : ; done");
    assert!(matches!(list.0[0].first.commands[0].what, What::Loop { until: false, .. }));
}

#[test]
fn words_are_put_together_of_parts() {
    let (words, _) = simple(r#"echo a'b c'"d $x $(pwd)"\ e $$ "" ~/x *.rs"#);
    let variable = |name: &str, quoted| Part::Variable { name: name.into(), quoted };
    let pwd = Part::Output { list: parse("pwd").unwrap(), quoted: true };
    let quoted = |text: &str| Part::Quoted(text.into());
    let first = vec![
        Part::Text("a".into()),
        quoted("b c"),
        quoted("d "),
        variable("x", true),
        quoted(" "),
        pwd,
        quoted(""),
        quoted(" "),
        Part::Text("e".into()),
    ];
    assert_eq!(words[1], Word(first));
    assert_eq!(words[2], Word(vec![variable("$", false)]));
    assert_eq!(words[3], Word(vec![quoted("")]));
    assert_eq!(words[4], Word(vec![Part::Home, Part::Text("/x".into())]));
    assert_eq!(words[5], word("*.rs"));
}

#[test]
fn chains_pipes_and_groups() {
    let list = parse("! a | b && c || d; (e; f) >out 2>&1\n{ g; } &").unwrap();
    assert_eq!(list.0.len(), 3);
    assert!(list.0[0].first.negated);
    assert_eq!(list.0[0].first.commands.len(), 2);
    assert_eq!(
        list.0[0].rest.iter().map(|(when, _)| *when).collect::<Vec<_>>(),
        [When::Succeeded, When::Failed]
    );
    assert_eq!(list.0[1].first.commands[0].redirects.len(), 2);
    assert!(matches!(list.0[2].first.commands[0].what, What::Group(_)));
}

#[test]
fn conditions_and_loops() {
    let list =
        parse("if a; then b; elif c; then d; else e; fi\nfor x in 1 2; do echo $x; done").unwrap();
    let What::If { arms, otherwise } = &list.0[0].first.commands[0].what else { panic!() };
    assert_eq!((arms.len(), otherwise.0.len()), (2, 1));
    let What::For { name, words, .. } = &list.0[1].first.commands[0].what else { panic!() };
    assert_eq!((name.as_str(), words.as_ref().map(Vec::len)), ("x", Some(2)));
}

#[track_caller]
fn refuses(text: &str, bad: &Bad) {
    assert_eq!(parse(text).as_ref(), Err(bad), "{text}");
}

#[test]
fn what_is_wrong_is_said() {
    let unexpected = |text: &str| Bad::Unexpected { what: format!("\"{text}\""), expecting: None };
    for text in ["echo 'a", "echo \"a"] {
        refuses(text, &Bad::OpenQuote);
    }
    for (text, expecting) in [
        ("while :", Some("do")),
        ("a |", None),
        ("a &&", None),
        ("(a", Some(")")),
        ("if a; then", Some("fi")),
        ("echo $(", Some(")")),
        ("x > ", None),
    ] {
        refuses(text, &Bad::Unfinished(expecting));
    }
    refuses("| a", &unexpected("|"));
    refuses("a && ; b", &unexpected(";"));
    refuses("done", &unexpected("done"));
    refuses("while ; do a; done", &unexpected(";"));
    refuses("a )", &unexpected(")"));
    let instead = Bad::Unexpected { what: "\"fi\"".into(), expecting: Some("done") };
    refuses("while a; do b; fi", &instead);
    assert_eq!(instead.to_string(), "Syntax error: \"fi\" unexpected (expecting \"done\")");
    refuses("cat << EOF", &Bad::NotHere("here-documents"));
    refuses("f() { a; }", &Bad::NotHere("functions"));
    refuses("echo ${x:-1}", &Bad::NotHere("${ } with more than a name in it"));
    refuses(&"(".repeat(100), &Bad::TooMuch);
    refuses(&"a".repeat(TEXT_MAX + 1), &Bad::TooMuch);
}

#[test]
fn no_text_makes_it_panic() {
    // Every text of up to six of these pieces.
    let pieces =
        ["a", "'", "\"", "$", "(", ")", "|", "&", ";", "\n", "{", "}", "\\", "é", "2>", "do "];
    let mut seed = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text += pieces[usize::try_from(seed >> 60).unwrap()];
        }
        // Either is fine; it comes back.
        let _ = parse(&text);
    }
}

#[test]
fn lines_are_read_one_after_the_other() {
    let mut script = Script::new("a; b # c\n\nif d\nthen e; fi; f\ng 'h\n").unwrap();
    let mut lines = Vec::new();
    for _ in 0..2 {
        let list = script.next_line().unwrap().unwrap();
        lines.push(list.0.iter().map(|item| item.first.commands[0].line).collect::<Vec<_>>());
    }
    assert_eq!(lines, [vec![1, 1], vec![3, 4]]);
    assert_eq!(script.next_line(), Err(Bad::OpenQuote));
}
