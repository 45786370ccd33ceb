//! Which layers an adapter scales, and on which side: PEFT's matching rules, to the letter.

use super::config::{AdapterConfig, Targets, TaskType};
use super::defaults::default_targets;
use super::pattern::Pattern;
use super::{Place, Site};
use crate::{Error, Result};

/// How many module names an error shows: a BERT layer has six linear layers.
const SHOWN: usize = 8;

/// The targets of `config` among `sites`, in the order of `sites`, each with the side it scales. `head_modules` are
/// paths of modules that are trained whole and never scaled, such as `classifier`.
///
/// The rules, in PEFT's order: a path is left out if `exclude_modules` matches it or if it lies in a module of
/// `modules_to_save`; else it is a target if `target_modules` matches it; a target is feed-forward if
/// `feedforward_modules` matches it. A pattern must match the whole path. A name matches the path itself or what follows
/// a dot, except in `feedforward_modules`, where any ending of the path will do (`fc2` there also means `xfc2`).
/// Fields that are `None` have the default of `model_type`.
///
/// [`Error::NoTargetMatch`] where there is no target, [`Error::BadOption`] where a field is `None` and the model type
/// has no default, [`Error::BadAdapter`] for a pattern that is malformed or too slow.
pub fn resolve(
    config: &AdapterConfig,
    model_type: &str,
    sites: &[Site],
    head_modules: &[&str],
) -> Result<Vec<(usize, Place)>> {
    let matcher = Matcher::new(config, model_type, head_modules)?;
    let mut found = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        found.extend(matcher.place(&site.module)?.map(|place| (index, place)));
    }
    if found.is_empty() {
        let (targets, _) = with_defaults(config, model_type)?;
        let modules = sites.iter().take(SHOWN).map(|site| site.module.clone()).collect();
        return Err(Error::NoTargetMatch { targets: describe(&targets), modules });
    }
    Ok(found)
}

/// The fields of a configuration that choose modules, ready to match.
pub(super) struct Matcher<'a> {
    exclude: Option<Rule>,
    protected: Protected<'a>,
    /// `None` for `all-linear`: that leaves out the head, which is protected, and nothing else.
    wanted: Option<Rule>,
    feedforward: Rule,
}

impl<'a> Matcher<'a> {
    pub fn new(config: &'a AdapterConfig, model_type: &str, head_modules: &[&'a str]) -> Result<Self> {
        let (targets, feedforward) = with_defaults(config, model_type)?;
        Ok(Matcher {
            exclude: config.exclude_modules.clone().map(Rule::new).transpose()?,
            protected: Protected::new(config, head_modules)?,
            wanted: if is_all_linear(&targets) { None } else { Some(Rule::new(targets)?) },
            feedforward: Rule::new(feedforward)?,
        })
    }

    /// Whether `exclude_modules` leaves a path out.
    pub fn excludes(&self, module: &str) -> Result<bool> {
        self.exclude.as_ref().map_or(Ok(false), |rule| rule.matches(module))
    }

    /// The side that is scaled of the layer at a path, `None` where it is no target.
    pub fn place(&self, module: &str) -> Result<Option<Place>> {
        let wanted = self.wanted.as_ref().map_or(Ok(true), |rule| rule.matches(module))?;
        if !wanted || self.excludes(module)? || self.protected.matches(module)? {
            return Ok(None);
        }
        Ok(Some(if self.feedforward.ends(module)? { Place::Input } else { Place::Output }))
    }
}

/// `target_modules` and `feedforward_modules`, the model type's where the configuration has none.
pub(super) fn with_defaults(config: &AdapterConfig, model_type: &str) -> Result<(Targets, Targets)> {
    let defaults = default_targets(model_type);
    let field = |value: &Option<Targets>, option: &str, names: Option<&[&str]>| match (value, names) {
        (Some(targets), _) => Ok(targets.clone()),
        (None, Some(names)) => Ok(Targets::List(names.iter().map(|name| name.to_string()).collect())),
        (None, None) => Err(Error::BadOption {
            option: option.into(),
            reason: format!(
                "is needed: PEFT has no default for model_type '{model_type}': name modules or say \"paper\""
            ),
        }),
    };
    let targets = field(&config.target_modules, "targetModules", defaults.map(|pair| pair.0))?;
    let feedforward = field(&config.feedforward_modules, "feedforwardModules", defaults.map(|pair| pair.1))?;
    Ok((targets, feedforward))
}

/// Names of modules that are trained whole. PEFT protects what equals such a name or lies below one, by a pattern into
/// which it puts the name unescaped.
struct Protected<'a> {
    /// Names in which nothing has a meaning in a pattern: one part of a path must be equal.
    plain: Vec<&'a str>,
    patterns: Vec<Pattern>,
}

impl<'a> Protected<'a> {
    fn new(config: &'a AdapterConfig, head_modules: &[&'a str]) -> Result<Self> {
        // For other tasks PEFT appends them only after it has looked for targets.
        let automatic = if config.task_type == Some(TaskType::SeqCls) { TaskType::SeqCls.heads() } else { &[] };
        let saved = config.modules_to_save.iter().flatten().map(String::as_str);
        let names = saved.chain(automatic.iter().copied()).chain(head_modules.iter().copied());
        let is_plain = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let (plain, others): (Vec<_>, Vec<_>) = names.partition(is_plain);
        let pattern = |name| Pattern::prefix(&format!(r"(^|.*\.){name}($|\..*)"));
        Ok(Protected { plain, patterns: others.into_iter().map(pattern).collect::<Result<_>>()? })
    }

    fn matches(&self, path: &str) -> Result<bool> {
        if path.split('.').any(|part| self.plain.contains(&part)) {
            return Ok(true);
        }
        for pattern in &self.patterns {
            if pattern.matches(path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a tensor belongs to a module that PEFT trained whole.
pub(super) fn lies_in_saved_module(config: &AdapterConfig, tensor: &str) -> Result<bool> {
    Protected::new(config, &[])?.matches(tensor)
}

pub(super) fn is_all_linear(targets: &Targets) -> bool {
    matches!(targets, Targets::Regex(pattern) if pattern.eq_ignore_ascii_case("all-linear"))
}

fn describe(targets: &Targets) -> String {
    match targets {
        Targets::Regex(pattern) => format!("'{pattern}'"),
        Targets::List(names) => names.join(", "),
    }
}

/// One field of a configuration, ready to match.
enum Rule {
    Names(Vec<String>),
    Pattern(Pattern),
}

impl Rule {
    fn new(targets: Targets) -> Result<Rule> {
        match targets {
            Targets::List(names) => Ok(Rule::Names(names)),
            Targets::Regex(pattern) => Pattern::fullmatch(&pattern).map(Rule::Pattern),
        }
    }

    fn matches(&self, module: &str) -> Result<bool> {
        match self {
            Rule::Names(names) => Ok(names.iter().any(|name| is_named(module, name))),
            Rule::Pattern(pattern) => pattern.matches(module),
        }
    }

    /// Any ending of the path.
    fn ends(&self, module: &str) -> Result<bool> {
        match self {
            Rule::Names(names) => Ok(names.iter().any(|name| module.ends_with(name.as_str()))),
            Rule::Pattern(pattern) => pattern.matches(module),
        }
    }
}

/// Whether a name is the whole path or what follows a dot in it.
pub(super) fn is_named(module: &str, name: &str) -> bool {
    module.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
