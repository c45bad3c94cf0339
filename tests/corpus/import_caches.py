import sys
print(sorted(sys.path_importer_cache), [type(hook).__name__ for hook in sys.path_hooks], sys.meta_path)
