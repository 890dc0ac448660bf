//! Which option a file means by a name.

use std::collections::HashMap;

use tabella_runtime::ContestOption;

/// Finds options by id, else by title, else by either in another case.
pub(crate) struct OptionNames {
    exact: HashMap<String, usize>,
    /// `None` where several options have that name.
    folded: HashMap<String, Option<usize>>,
}

impl OptionNames {
    pub(crate) fn new(options: &[ContestOption]) -> Self {
        let mut exact = HashMap::new();
        let mut folded = HashMap::new();
        for (position, option) in options.iter().enumerate() {
            exact.insert(option.id.clone(), position);
        }
        for (position, option) in options.iter().enumerate() {
            if !option.title.is_empty() {
                exact.entry(option.title.clone()).or_insert(position);
            }
            for name in [&option.id, &option.title] {
                if name.is_empty() {
                    continue;
                }
                folded
                    .entry(name.to_lowercase())
                    .and_modify(|known| {
                        if *known != Some(position) {
                            *known = None;
                        }
                    })
                    .or_insert(Some(position));
            }
        }
        Self { exact, folded }
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        let name = name.trim();
        let exact = self.exact.get(name).copied();
        exact.or_else(|| self.folded.get(&name.to_lowercase()).copied().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_before_titles_and_exact_names_before_others() {
        let option = |id: &str, title: &str| ContestOption {
            id: id.into(),
            title: title.into(),
        };
        let names = OptionNames::new(&[option("a", "b"), option("b", "Beech"), option("B", "x")]);
        assert_eq!(names.find("b"), Some(1), "an id wins over a title");
        assert_eq!(names.find("B"), Some(2));
        assert_eq!(names.find(" beech "), Some(1));
        assert_eq!(names.find("A"), Some(0));
        assert_eq!(names.find("X"), Some(2));
        assert_eq!(names.find("c"), None);
        let alike = OptionNames::new(&[option("x", "Ann"), option("y", "ANN")]);
        assert_eq!(alike.find("ann"), None, "either could be meant");
    }
}
