//! The macro that makes a crate a plugin. On other targets than Wasm it expands to nothing, so that
//! the same crate is tested natively.

/// Makes a [`Rule`](crate::Rule) the plugin of this crate.
///
/// `export!(Rule, marks)` says besides that its ballots are
/// [`MarkedRanking`](crate::ballot::MarkedRanking)s, so that hosts hand over skipped ranks and
/// repeated options as they were marked.
#[macro_export]
macro_rules! export {
    ($rule:ty, marks) => {
        const _: fn(&<$rule as $crate::Rule>::Ballot) = |_: &$crate::ballot::MarkedRanking| {};

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, unreachable_pub)]
        mod tabella_marks {
            #[unsafe(no_mangle)]
            pub extern "C" fn tabella_marks_v1() {}
        }

        $crate::export!($rule);
    };
    ($rule:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, unreachable_pub)]
        mod tabella_exports {
            use super::*;
            static PLUGIN: $crate::__private::Cell<$rule> = $crate::__private::Cell::new();

            #[unsafe(no_mangle)]
            pub extern "C" fn tabella_abi_v1() {}
            #[unsafe(no_mangle)]
            pub extern "C" fn buffer(len: usize) -> *mut u8 {
                PLUGIN.buffer(len)
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn describe() -> u64 {
                PLUGIN.describe()
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn configure(len: usize) -> u32 {
                PLUGIN.configure(len)
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn validate(len: usize) -> u32 {
                PLUGIN.validate(len)
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn fold(len: usize) -> u32 {
                PLUGIN.fold(len)
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn merge(len: usize) -> u32 {
                PLUGIN.merge(len)
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn save() -> u64 {
                PLUGIN.save()
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn finish(len: usize) -> u64 {
                PLUGIN.finish(len)
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn message() -> u64 {
                PLUGIN.message()
            }
        }
    };
}
