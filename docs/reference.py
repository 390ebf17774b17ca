def generated_part(name, language): return ""
