//! Every combination of the values that parameters take, for `--param`.

use std::str::FromStr;

use serde_json::{Map, Number, Value};

use super::PARTS_MAX;

/// Longest range of a parameter: what fits a group.
const VALUES_MAX: usize = PARTS_MAX as usize;

/// A parameter and the values that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name: letters, digits and `_`.
    pub name: String,
    /// In the order in which they were written; at least one.
    pub values: Vec<String>,
}

/// Why parameters make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// There is no `=`.
    #[error("a parameter is written as name=values, such as a=1..5 or b=x,y")]
    Shape,
    /// The name can be none of a variable.
    #[error("{0:?} can be no parameter's name: use letters, digits and _")]
    Name(String),
    /// Nothing is in the range.
    #[error("the range {0} is empty: the smaller number goes first")]
    Range(String),
    /// The range is of numbers that are not whole.
    #[error("the range {0} is not of whole numbers: name each value, as in 0.1,0.2,0.3")]
    Fractions(String),
    /// There are too many values or combinations.
    #[error("that makes more than {PARTS_MAX} combinations")]
    Many,
    /// Two are called the same.
    #[error("{0} and {1} are the same parameter: upper and lower case make no difference")]
    Twice(String, String),
    /// No parameter is called so.
    #[error(
        "there is no --param {name}, of which {{{name}}} would be the value{near}; to hand the braces on as they are, write {{{{{name}}}}}"
    )]
    Unknown {
        /// What stands in braces.
        name: String,
        /// Which parameter is near, as a question.
        near: String,
    },
}

/// One combination: each parameter with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting(pub Vec<(String, String)>);

impl FromStr for Param {
    type Err = ParamError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, values) = text.split_once('=').ok_or(ParamError::Shape)?;
        if !is_name(name) {
            return Err(ParamError::Name(name.into()));
        }
        let mut param = Self {
            name: name.into(),
            values: Vec::new(),
        };
        for value in values.split(',') {
            let Some((first, last)) = range(value) else {
                if is_of_fractions(value) {
                    return Err(ParamError::Fractions(value.into()));
                }
                param.values.push(value.into());
                continue;
            };
            if first > last {
                return Err(ParamError::Range(value.into()));
            }
            let room = VALUES_MAX.saturating_sub(param.values.len());
            if usize::try_from(last.abs_diff(first)).map_or(true, |steps| steps >= room) {
                return Err(ParamError::Many);
            }
            param
                .values
                .extend((first..=last).map(|number| number.to_string()));
        }
        Ok(param)
    }
}

/// Whether a variable can be called so.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `0.1..0.5` or `0..1..0.25`, which somebody takes for a range.
fn is_of_fractions(text: &str) -> bool {
    text.contains("..") && text.split("..").all(|end| end.parse::<f64>().is_ok())
}

/// `1..5`, both ends in it.
fn range(text: &str) -> Option<(i64, i64)> {
    let (first, last) = text.split_once("..")?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// How many combinations there are.
///
/// # Errors
/// When there are too many, or two parameters are one.
pub fn settings_count(params: &[Param]) -> Result<u32, ParamError> {
    for (at, param) in params.iter().enumerate() {
        let mut before = params.iter().take(at);
        if let Some(other) = before.find(|other| other.name.eq_ignore_ascii_case(&param.name)) {
            return Err(ParamError::Twice(other.name.clone(), param.name.clone()));
        }
    }
    let mut counts = params
        .iter()
        .map(|param| u32::try_from(param.values.len()).ok());
    let product = counts.try_fold(1, |product: u32, count| product.checked_mul(count?));
    product
        .filter(|count| *count <= PARTS_MAX)
        .ok_or(ParamError::Many)
}

/// The combination of this number, from 0; the last parameter changes fastest.
pub fn setting(params: &[Param], number: u32) -> Setting {
    let mut left = number as usize;
    let mut chosen: Vec<_> = params
        .iter()
        .rev()
        .filter_map(|param| {
            let value = param.values.get(left.checked_rem(param.values.len())?)?;
            left /= param.values.len();
            Some((param.name.clone(), value.clone()))
        })
        .collect();
    chosen.reverse();
    Setting(chosen)
}

impl Setting {
    /// `params.json`: what is a number in JSON is one here, all else text.
    pub fn json(&self) -> Vec<u8> {
        let value = |text: &String| {
            serde_json::from_str::<Number>(text)
                .map_or_else(|_| Value::String(text.clone()), Value::Number)
        };
        let pairs = self
            .0
            .iter()
            .map(|(name, text)| (name.clone(), value(text)));
        Value::Object(pairs.collect::<Map<_, _>>())
            .to_string()
            .into_bytes()
    }

    /// The variables in which the script finds it: `a` is `MUTIRAO_PARAM_A`.
    pub fn env(&self) -> impl Iterator<Item = (String, String)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| {
            let name = format!("MUTIRAO_PARAM_{}", name.to_ascii_uppercase());
            (name, value.clone())
        })
    }
}

/// A piece of a text in which values are to be filled.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    /// As it is.
    Text(&'t str),
    /// The value of the parameter of this name.
    Value(&'t str),
}

/// The pieces of a text: `{a}` is a value, `{{a}}` is `{a}`, and braces around what can be no name stay as they are.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, braced) = rest.split_at(at);
        pieces.push(Piece::Text(before));
        let named = |open: &str, close: &str| {
            let inner = braced.strip_prefix(open)?;
            let (name, after) = inner.split_once(close)?;
            is_name(name).then_some((name, after))
        };
        let (piece, after) = match (named("{{", "}}"), named("{", "}")) {
            // With one brace of each two.
            (Some((name, after)), _) => {
                let inner = braced.get(1..name.len() + 3).unwrap_or_default();
                (Piece::Text(inner), after)
            }
            (None, Some((name, after))) => (Piece::Value(name), after),
            (None, None) => {
                let (brace, after) = braced.split_at(1);
                (Piece::Text(brace), after)
            }
        };
        pieces.push(piece);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// All that stands in braces in these texts is the value of a parameter.
///
/// # Errors
/// [`ParamError::Unknown`] of the first that is not; `near` tells which of these names may have been meant.
pub fn check_braces<'t>(
    texts: impl IntoIterator<Item = &'t str>,
    params: &[Param],
    near: impl Fn(&str, &[&str]) -> String,
) -> Result<(), ParamError> {
    for piece in texts.into_iter().flat_map(pieces) {
        if let Piece::Value(name) = piece
            && !params.iter().any(|param| param.name == name)
        {
            let known: Vec<_> = params.iter().map(|param| param.name.as_str()).collect();
            let near = near(name, &known);
            let name = name.to_owned();
            return Err(ParamError::Unknown { name, near });
        }
    }
    Ok(())
}

/// The text with `{a}` replaced by the value of `a`, and `{{a}}` by `{a}`; other braces stay as they are.
pub fn filled(text: &str, setting: &Setting) -> String {
    let value = |name: &str| {
        let mut pairs = setting.0.iter();
        pairs.find_map(|(known, value)| (known == name).then_some(value))
    };
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Value(name) => match value(name) {
                Some(value) => filled.push_str(value),
                None => filled.extend(["{", name, "}"]),
            },
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(texts: &[&str]) -> Vec<Param> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn values_are_listed_and_ranges_have_both_ends() {
        let values = |text: &str| text.parse::<Param>().unwrap().values;
        assert_eq!(values("a=1..3,7,x"), ["1", "2", "3", "7", "x"]);
        assert_eq!(values("a=-2..-1"), ["-2", "-1"]);
        assert_eq!(values("a=0.1,../b"), ["0.1", "../b"]);
        assert_eq!(values("a="), [""]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refusal = |text: &str| text.parse::<Param>().unwrap_err();
        assert_eq!(refusal("a"), ParamError::Shape);
        assert_eq!(refusal("a b=1"), ParamError::Name("a b".into()));
        assert_eq!(refusal("1=1"), ParamError::Name("1".into()));
        assert_eq!(refusal("a=5..1"), ParamError::Range("5..1".into()));
        for fractions in ["0.1..0.5", "0..1..0.25"] {
            let told = ParamError::Fractions(fractions.into());
            assert_eq!(refusal(&format!("a={fractions}")), told);
        }
        assert_eq!(refusal("a=0..9223372036854775807"), ParamError::Many);
        assert_eq!(
            settings_count(&params(&["a=1..1000", "b=1..1000"])),
            Ok(PARTS_MAX)
        );
        let many = params(&["a=1..1000", "b=1..1001"]);
        assert_eq!(settings_count(&many), Err(ParamError::Many));
        let twice = params(&["a=1", "A=2"]);
        assert!(matches!(settings_count(&twice), Err(ParamError::Twice(..))));
    }

    #[test]
    fn all_combinations_are_made_and_the_last_parameter_changes_fastest() {
        let params = params(&["a=1..2", "b=x,y"]);
        let made =
            [0, 1, 2, 3].map(|number| String::from_utf8(setting(&params, number).json()).unwrap());
        assert_eq!(
            made,
            [
                r#"{"a":1,"b":"x"}"#,
                r#"{"a":1,"b":"y"}"#,
                r#"{"a":2,"b":"x"}"#,
                r#"{"a":2,"b":"y"}"#
            ]
        );
        assert_eq!(settings_count(&params), Ok(4));
    }

    #[test]
    fn a_script_finds_a_setting_in_its_environment_and_its_arguments() {
        let setting = Setting(vec![
            ("a".into(), "1".into()),
            ("rate".into(), "{a}".into()),
        ]);
        let env: Vec<_> = setting.env().collect();
        assert_eq!(env[1], ("MUTIRAO_PARAM_RATE".into(), "{a}".into()));
        assert_eq!(filled("--x={a}:{rate}", &setting), "--x=1:{a}");
        assert_eq!(filled("{{a}} {b} {a {", &setting), "{a} {b} {a {");
        assert_eq!(
            filled("{{{a}}} {} {1} {\"a\": 2}", &setting),
            "{{a}} {} {1} {\"a\": 2}"
        );
    }

    #[test]
    fn what_stands_in_braces_and_is_no_parameter_is_refused() {
        let params = params(&["alpha=1", "seed=1..2"]);
        let near = |name: &str, known: &[&str]| format!("; {name} of {}", known.join(","));
        let check = |texts: &[&str]| check_braces(texts.iter().copied(), &params, near);
        assert_eq!(
            check(&[
                "--a={alpha}",
                "{seed}{{y}}",
                "{ y }",
                "{0}",
                "{\"y\": 1}",
                "{y"
            ]),
            Ok(())
        );
        let refused = check(&["{alpha}", "{alhpa}"]).unwrap_err().to_string();
        assert_eq!(
            refused,
            "there is no --param alhpa, of which {alhpa} would be the value; alhpa of alpha,seed; to hand the braces on as \
             they are, write {{alhpa}}"
        );
    }
}
